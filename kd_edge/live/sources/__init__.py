"""Live sources: where samples come from while they are taken, behind one small interface.

    with open_source("file://trial_07.npz") as source:
        while not source.ended:
            for chunk in source.poll(0.1):
                ...

Adding a source is a module with `open_source(address, options) -> Source` and `OPTIONS`, and one
line in `SOURCES`.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.registry import Registry
from kd_edge.live.sources.source import Chunk, Known, Source, SourceFacts, SourceStream

__all__ = [
    "SOURCES", "Chunk", "Known", "Source", "SourceFacts", "SourceKind", "SourceStream",
    "open_source",
]  # fmt: skip


@dataclass(frozen=True)
class SourceKind:
    """One kind of source; its module is imported when it is first used.

    Attributes:
        name: what stands before '://'.
        form: an example, for messages.
        summary: in a few words.
        module: has `open_source(address, options)`, and `OPTIONS`, name -> what makes a value of
            its text.
        counts: it gives counts of channels without names, and takes as the option `known` what a
            bundle knows of them.
    """

    name: str
    form: str
    summary: str
    module: str
    counts: bool = False

    @property
    def open(self) -> Callable[[str, Mapping[str, object]], Source]:
        return importlib.import_module(self.module).open_source

    @property
    def options(self) -> Mapping[str, Callable[[str], object]]:
        return importlib.import_module(self.module).OPTIONS


# A port alone is a board's, and so is a URL that pyserial opens, or a band's over Bluetooth.
_PORT = "serial"
_PORTS = re.compile(r"(/dev/|(\\\\\.\\)?COM\d+$|(socket|rfc2217|spy|ble)://)", re.IGNORECASE)
_ALL = (
    SourceKind(
        "file", "file://REC.npz?speed=2", "a recording, replayed at true speed",
        "kd_edge.live.sources.replay",
    ),
    SourceKind(
        "trigno", "trigno://HOST", "a Delsys Trigno base, by its TCP ports",
        "kd_edge.live.sources.trigno",
    ),
    SourceKind(
        "lsl", "lsl://NAME", "streams of the Lab Streaming Layer", "kd_edge.live.sources.lsl"
    ),
    SourceKind(
        "brainflow", "brainflow://synthetic", "a board that BrainFlow knows",
        "kd_edge.live.sources.brainflow",
    ),
    SourceKind(
        _PORT, "/dev/ttyACM0", "a board of kd-edge's firmware, by its port",
        "kd_edge.live.sources.board", counts=True,
    ),
)  # fmt: skip
SOURCES: Registry[SourceKind] = Registry("source", _ALL, home=__name__)


def open_source(url: str, *, known: Known | None = None) -> Source:
    """The source of a URL, `kind://address?option=value&…`, or of a board's port; open and running.

    Args:
        known: what a bundle knows of a board; None: its samples are counts. Other sources say
            themselves what they give.

    Raises:
        KdEdgeError KD_USAGE: no URL, or an option that the kind does not have.
        KdEdgeError KD_UNKNOWN_NAME: no such kind. And what the kind raises.
    """
    name, mark, rest = _with_kind(url).partition("://")
    if not mark:
        forms = ", ".join(kind.form for kind in SOURCES.values())
        raise KdEdgeError(
            "KD_USAGE", f"'{url}' is not the URL of a source", where="--source", hint=forms
        )
    kind = SOURCES.find(name, where="--source")
    address, _, query = rest.partition("?")
    options = {}
    for key, text in parse_qsl(query, keep_blank_values=True):
        if key not in kind.options:
            known = list(kind.options)
            raise KdEdgeError(
                "KD_USAGE",
                f"a source {name}:// has no option '{key}'{nearest(key, known)}",
                where=url,
                hint=f"its options: {', '.join(known) or 'none'}",
            )
        try:
            options[key] = kind.options[key](text)
        except ValueError as error:
            raise KdEdgeError(
                "KD_USAGE", f"{key}={text} of the source: {error}", where=url, hint=kind.form
            ) from error
    if kind.counts:
        options["known"] = known
    return kind.open(unquote(address), options)


def _with_kind(url: str) -> str:
    """`/dev/ttyACM0`, `COM3` and `socket://HOST:PORT` as `serial://…`."""
    return f"{_PORT}://{url}" if _PORTS.match(url) else url


def number_from(least: float, most: float) -> Callable[[str], float]:
    """What reads a number between two limits; it raises ValueError with a sentence."""

    def read(text: str) -> float:
        value = float(text)
        if not (math.isfinite(value) and least <= value <= most):
            raise ValueError(f"a number from {least:g} to {most:g} was expected")
        return value

    return read
