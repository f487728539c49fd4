"""Bytes of link, front end and quantisation on a core, symbol by symbol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware_export.aot.cores import Core
from firmware_export.aot.export import SECTION_FLAGS
from firmware_export.boards.compiling import Measured, measure_objects
from firmware_export.firmware import RUNTIME, Firmware

# Part -> its sources in a firmware; a front end need not have all of its own.
PARTS: Mapping[str, tuple[str, ...]] = {
    "link": tuple(sorted(path.name for path in (RUNTIME / "link").glob("*.c"))),
    "front end": (
        "kd_signal_arithmetic.c",
        "kd_front_end.c",
        "kd_front_end_run.c",
        "kd_front_end_stream.c",
        "kd_log.c",
        "kd_running.c",
        "kd_roll.c",
        "kd_signal.c",
        "kd_signal_window.c",
        "kd_running_values.c",
        "kd_wearer.c",
    ),
    "quantisation": ("kd_quantize.c",),
    "decision": ("kd_decision.c", "kd_decision_rule.c"),
}
_BUFFERS = ("bytes in, as far as a frame", "bytes out", "answers kept", "front end's work")
_PROBE_FILE = "probe.c"
_PROBE = """
#include "kd_front_end.h"
#include "kd_link.h"
static kd_link link;
char in[sizeof link.reader.bytes];
char out[sizeof link.out];
char kept[sizeof link.kept];
char work[KD_FRONT_END_BYTES];
char state[sizeof link - sizeof in - sizeof out - sizeof kept];
"""


@dataclass(frozen=True)
class SymbolSize:
    """One function, constant or variable; `strings` and other nameless constants by their source.

    Attributes:
        part: a key of `PARTS`.
        flash: it lies in flash; otherwise in RAM.
    """

    part: str
    name: str
    bytes: int
    flash: bool


@dataclass(frozen=True)
class Sizes:
    """Sizes of a firmware's link, front end and quantisation.

    Attributes:
        symbols: the largest first.
        flash_bytes: of all, constants of the front end among them.
        state_bytes: RAM besides buffers.
        buffers: what each holds -> bytes of RAM.
    """

    symbols: tuple[SymbolSize, ...]
    flash_bytes: int
    state_bytes: int
    buffers: Mapping[str, int]


def measure_sizes(firmware: Firmware, core: Core, *, optimize: str = "-Os") -> Sizes:
    """Compile the sources for a core and read what is in the object files, before linking.

    Args:
        firmware: with a front end; its own numbers (taps, biquads, names) are counted too.

    Raises:
        KdEdgeError KD_MISSING_TOOL, KD_COMPILE.
    """
    files = {**firmware.files, _PROBE_FILE: _PROBE}
    options = ("-std=c99", optimize, *SECTION_FLAGS, "-fno-common")
    defines = (f"-D{name}={value}" for name, value in firmware.defines.items())
    parts = {
        part: [source for source in of_part if source in files] for part, of_part in PARTS.items()
    }
    sources = [source for of_part in parts.values() for source in of_part]
    measured = measure_objects(
        files,
        core,
        (*options, *defines),
        sources=[*sources, _PROBE_FILE],
        what="the firmware's sources",
    )
    symbols = tuple(
        symbol
        for part, of_part in parts.items()
        for source in of_part
        for symbol in _symbols(part, source, measured)
    )
    probe = {s.name: s.bytes for s in _symbols("", _PROBE_FILE, measured)}
    buffers = dict(zip(_BUFFERS, (probe[n] for n in ("in", "out", "kept", "work")), strict=True))
    state = sum(s.bytes for s in symbols if not s.flash) - probe["work"] + probe["state"]
    return Sizes(
        symbols=tuple(sorted(symbols, key=lambda s: (-s.bytes, s.name))),
        flash_bytes=sum(s.bytes for s in symbols if s.flash),
        state_bytes=state,
        buffers=buffers,
    )


def _symbols(part: str, source: str, measured: Measured) -> list[SymbolSize]:
    """Each section of an object file: with -ffunction-sections it is one symbol, or strings."""
    found: dict[tuple[str, bool], int] = {}
    for section in measured.of(source).sections:
        kind, _, symbol = section.name.removeprefix(".").partition(".")
        if kind not in ("text", "rodata", "data", "bss"):
            continue
        strings = not symbol or "str1" in symbol or "cst" in symbol
        # Without what the optimiser adds.
        name = f"strings of {Path(source).stem}" if strings else symbol.partition(".")[0]
        key = (name, kind in ("text", "rodata"))
        found[key] = found.get(key, 0) + section.n_bytes
    return [SymbolSize(part, name, n_bytes, flash) for (name, flash), n_bytes in found.items()]


def table(sizes: Sizes, *, smallest: int = 100) -> str:
    """The sizes as Markdown; symbols below `smallest` bytes are summed up by part."""
    lines = ["| part | symbol | flash |", "|---|---|---|"]
    for part in PARTS:
        of_part = [s for s in sizes.symbols if s.part == part and s.flash]
        large = [s for s in of_part if s.bytes >= smallest]
        lines += [f"| {part} | `{s.name}` | {s.bytes:,} |" for s in large]
        rest = [s for s in of_part if s.bytes < smallest]
        if rest:
            lines.append(f"| {part} | {len(rest)} smaller | {sum(s.bytes for s in rest):,} |")
    lines += [f"| all | | {sizes.flash_bytes:,} |", "", "| RAM | bytes |", "|---|---|"]
    lines += ["| besides buffers | " + f"{sizes.state_bytes:,} |"]
    lines += [f"| buffer: {what} | {n_bytes:,} |" for what, n_bytes in sizes.buffers.items()]
    return "\n".join(lines) + "\n"
