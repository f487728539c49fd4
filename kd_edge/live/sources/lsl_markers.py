"""Markers of the Lab Streaming Layer: an experiment's own program says what begins when."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import Protocol

from kd_edge.base.errors import KdEdgeError, require

_TIMEOUT_S = 10.0
_MOST = 256  # of a poll


@dataclass(frozen=True)
class Marker:
    """What a marker stream said, and when, by `time.monotonic`."""

    text: str
    at_s: float


class Markers(Protocol):
    """What says markers.

    Attributes:
        ended: why no more will come; '' while they may.
    """

    ended: str

    def poll(self) -> tuple[Marker, ...]:
        """What has come since the last call; does not wait."""

    def close(self) -> None:
        """Ends it; more than once does nothing."""


class LslMarkers:
    """A marker stream of LSL by its name; its first channel is the marker.

    Stamps are brought onto this machine's clock by LSL's own correction.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE: pylsl is not installed.
        KdEdgeError KD_SOURCE_TIMEOUT: the stream is not found, or does not answer.
        KdEdgeError KD_SOURCE_PROTOCOL: it has a regular rate, as signals have.
    """

    def __init__(self, name: str, *, timeout_s: float = _TIMEOUT_S):
        self._pylsl = require("pylsl", extra="live", purpose="markers of LSL")
        self.ended = ""
        self._name = name
        self._offset_s = time.monotonic() - self._pylsl.local_clock()
        found = self._pylsl.resolve_byprop("name", name, 1, timeout_s)
        if not found:
            raise self._absent(f"{timeout_s:g} s waited")
        if found[0].nominal_srate() != self._pylsl.IRREGULAR_RATE:
            raise KdEdgeError(
                "KD_SOURCE_PROTOCOL",
                f"the LSL stream '{name}' has {found[0].nominal_srate():g} samples a second",
                hint="name a stream of markers, which come when they like; signals are --source's",
            )
        self._inlet = self._pylsl.StreamInlet(
            found[0], recover=False, processing_flags=self._pylsl.proc_clocksync
        )
        try:
            self._inlet.open_stream(timeout_s)
            self._inlet.time_correction(timeout_s)
        except (TimeoutError, RuntimeError, OSError) as error:
            raise self._absent(str(error)) from error

    def poll(self) -> tuple[Marker, ...]:
        if self.ended:
            return ()
        try:
            rows, stamps = self._inlet.pull_chunk(0.0, _MOST)
        except (RuntimeError, OSError):  # pylsl's LostError is one
            self.ended = f"the marker stream '{self._name}' has ended"
            return ()
        pairs = zip(rows, stamps, strict=True)
        return tuple(Marker(str(row[0]), stamp + self._offset_s) for row, stamp in pairs)

    def close(self) -> None:
        self.ended = self.ended or "closed"
        with contextlib.suppress(RuntimeError, OSError):
            self._inlet.close_stream()

    def __enter__(self) -> LslMarkers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _absent(self, where: str) -> KdEdgeError:
        return KdEdgeError(
            "KD_SOURCE_TIMEOUT",
            f"LSL has no marker stream '{self._name}' that answers",
            where=where,
            hint="start its program, look at the name that it gives, and at the firewall",
        )
