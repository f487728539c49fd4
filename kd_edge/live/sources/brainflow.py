"""A board that BrainFlow knows as a source.

brainflow://synthetic      brainflow://myo?mac_address=…      brainflow://cyton?serial_port=COM3
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Mapping

import numpy as np

from kd_edge.base.errors import KdEdgeError, nearest, require
from kd_edge.live.sources import number_from
from kd_edge.live.sources.source import Chunk, SourceFacts, SourceStream
from kd_edge.signals.recording import is_rate

OPTIONS = {
    "serial_port": str, "mac_address": str, "ip_address": str, "serial_number": str, "file": str,
    "ip_port": number_from(1, 65535), "packages": number_from(2, 1e9),
}  # fmt: skip
_POLL_S = 0.005
_BUFFER_S = 60.0
_SILENCE_S = 5.0
# BrainFlow's kinds of channels: modality, unit, names of axes.
_KINDS = {
    "emg_channels": ("emg", "µV", "EMG"),
    "accel_channels": ("acc", "g", "ACC"),
    "gyro_channels": ("gyr", "deg/s", "GYRO"),
    "magnetometer_channels": ("mag", "µT", "MAG"),
}
_AXES = "XYZ"


class BrainFlow:
    """A board that streams from the moment when this is made.

    Args:
        board: as BrainFlow names it, without '_BOARD', in any case.
        parameters: of BrainFlow's `BrainFlowInputParams`.
        packages: the board counts them from 0 up to this, exclusive, and tells by it what was
            lost; None: it does not.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE: brainflow is not installed.
        KdEdgeError KD_UNKNOWN_NAME: it knows no such board.
        KdEdgeError KD_SOURCE_TIMEOUT: the board does not answer.
        KdEdgeError KD_SOURCE_PROTOCOL: it has nothing that a recording takes.
    """

    def __init__(
        self,
        board: str,
        parameters: Mapping[str, object],
        *,
        packages: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        shim = require("brainflow.board_shim", extra="live", purpose="a source brainflow://")
        known = {each.name.removesuffix("_BOARD").lower(): each.value for each in shim.BoardIds}
        number = known.get(board.lower())
        if number is None:
            raise KdEdgeError(
                "KD_UNKNOWN_NAME",
                f"BrainFlow knows no board '{board}'{nearest(board.lower(), list(known))}",
                where="--source",
                hint="its names are those of BrainFlow's BoardIds, without _BOARD",
            )
        self.ended = ""
        self._clock, self._packages, self._error = clock, packages, shim.BrainFlowError
        streams, self._rows = _described(shim.BoardShim.get_board_descr(number), board)
        self._counter = shim.BoardShim.get_board_descr(number).get("package_num_channel")
        self._next, self._package = 0, None
        self._heard_s = time.monotonic()
        given = shim.BrainFlowInputParams()
        for name, value in parameters.items():
            setattr(given, name, value)
        shim.BoardShim.disable_board_logger()
        self._board = shim.BoardShim(number, given)
        try:
            self._board.prepare_session()
            self._board.start_stream(max(1000, round(_BUFFER_S * streams[0].rate_hz)))
        except shim.BrainFlowError as error:
            with contextlib.suppress(shim.BrainFlowError):
                self._board.release_session()
            raise KdEdgeError(
                "KD_SOURCE_TIMEOUT",
                f"the board '{board}' does not answer: {error}",
                hint="look at its power, its port or address, and who else has it open",
            ) from error
        made_up = board.lower() == "synthetic"
        self.facts = SourceFacts(f"BrainFlow {board}", streams, synthetic=made_up)

    def poll(self, wait_s: float) -> tuple[Chunk, ...]:
        if self.ended:
            return ()
        until_s = time.monotonic() + wait_s
        data = self._board.get_board_data()
        while not data.shape[1] and time.monotonic() < until_s:
            time.sleep(_POLL_S)
            data = self._board.get_board_data()
        now_s = time.monotonic()
        if data.shape[1]:
            self._heard_s = now_s
        elif now_s - self._heard_s > _SILENCE_S:
            raise KdEdgeError(
                "KD_SOURCE_LOST",
                f"{self.facts.name} has said nothing for {_SILENCE_S:g} s",
                hint="look at its power and its connection, then start again",
            )
        return tuple(self._chunks(data, self._clock()))

    def close(self) -> None:
        if self.ended:
            return
        self.ended = "closed"
        with contextlib.suppress(self._error):
            self._board.stop_stream()
            self._board.release_session()

    def __enter__(self) -> BrainFlow:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _chunks(self, data: np.ndarray, at_s: float):
        """Args: data: (rows, samples) as BrainFlow gives it."""
        for first, a, b in self._runs(data):
            for stream, rows in enumerate(self._rows):
                samples = data[rows, a:b].T.astype(np.float32)
                yield Chunk(stream, first, np.ascontiguousarray(samples), at_s)

    def _runs(self, data: np.ndarray) -> list[tuple[int, int, int]]:
        """(number, begin, end) of samples that follow each other, by the board's own count."""
        n = data.shape[1]
        if not n:
            return []
        if self._packages is None or self._counter is None:
            first, self._next = self._next, self._next + n
            return [(first, 0, n)]
        counted = data[self._counter].astype(np.int64)
        before = counted[0] - 1 if self._package is None else self._package
        steps = (np.diff(counted, prepend=before) - 1) % self._packages + 1
        numbers = self._next - 1 + np.cumsum(steps)
        self._next, self._package = int(numbers[-1]) + 1, int(counted[-1])
        borders = [0, *(np.flatnonzero(np.diff(numbers) != 1) + 1).tolist(), n]
        return [(int(numbers[a]), a, b) for a, b in itertools.pairwise(borders)]


def _described(description: Mapping[str, object], board: str):
    """The source's streams, and the rows of BrainFlow's data that each one is."""
    rate_hz = float(description.get("sampling_rate", 0))
    streams, rows = [], []
    for kind, (modality, unit, title) in _KINDS.items():
        own = list(description.get(kind, ()))
        if not own or not is_rate(rate_hz):
            continue
        axes = modality != "emg" and len(own) == len(_AXES)
        names = _AXES if axes else [str(i) for i in range(1, len(own) + 1)]
        channels = tuple(f"{title} {name}" for name in names)
        streams.append(SourceStream(modality, board, channels, rate_hz, unit))
        rows.append(own)
    if not streams:
        raise KdEdgeError(
            "KD_SOURCE_PROTOCOL",
            f"BrainFlow's board '{board}' has neither sEMG nor movement sensors",
            hint="choose another board",
        )
    return tuple(streams), rows


def open_source(address: str, options: Mapping[str, object]) -> BrainFlow:
    """The board of this name. Raises as `BrainFlow`."""
    given = {k: v for k, v in options.items() if k not in ("packages", "ip_port")}
    if "ip_port" in options:
        given["ip_port"] = int(options["ip_port"])
    packages = int(options["packages"]) if "packages" in options else None
    return BrainFlow(address or "synthetic", given, packages=packages)
