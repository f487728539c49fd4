"""Python values as C source text that any C99, C11 or C++17 compiler reads back exactly."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from kd_edge.base.errors import KdEdgeError

_COLUMNS = 96


def identifier(name: str) -> str:
    """`name` as the tail of an upper-case macro name: letters, digits and underscores."""
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") or "UNNAMED"


def identifiers(names: Iterable[str]) -> tuple[str, ...]:
    """`identifier` of each, made unique with a number where two names fall together."""
    taken: set[str] = set()
    unique = []
    for name in names:
        stem = candidate = identifier(name)
        number = 2
        while candidate in taken:
            candidate = f"{stem}_{number}"
            number += 1
        taken.add(candidate)
        unique.append(candidate)
    return tuple(unique)


def string(text: str) -> str:
    """A C string literal of the text's UTF-8 bytes, in ASCII, with octal escapes.

    Octal and not hexadecimal, because a hexadecimal escape swallows the digits behind it;
    question marks are escaped because two of them can start a trigraph.

    Raises:
        KdEdgeError KD_LABELS: the text holds a zero byte, at which C would end it.
    """
    if "\0" in text:
        raise KdEdgeError(
            "KD_LABELS",
            f"the name {text!r} holds a zero character, at which a C string ends",
            hint="rename it",
        )
    return '"' + "".join(_escape(byte) for byte in text.encode("utf-8")) + '"'


def _escape(byte: int) -> str:
    character = chr(byte)
    if character in '"\\?':
        return "\\" + character
    return character if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def comment(text: str) -> str:
    """The text on one line, unable to end or nest a C comment or to join its line to the next."""
    flat = " ".join(text.split()).replace("*/", "* /").replace("/*", "/ *")
    # A backslash joins lines only at the end of one; `??/` is another way to write it.
    return f"{flat} ." if flat.endswith(("\\", "??/")) else flat


def float32(value: float) -> str:
    """A float literal with the 9 significant digits that give a float32 back exactly.

    Raises:
        KdEdgeError KD_SHAPE: the value is no finite float32.
    """
    with np.errstate(over="ignore"):
        single = np.float32(value)
    if not np.isfinite(single):
        raise KdEdgeError("KD_SHAPE", f"{value!r} has no float32 form for the C sources")
    digits = f"{single:.9g}"
    return f"{digits}f" if "." in digits or "e" in digits else f"{digits}.0f"


def rows(cells: Iterable[str], *, indent: int = 4) -> str:
    """Cells with commas, in lines of at most 96 columns."""
    pad = " " * indent
    lines, line = [], pad
    for cell in cells:
        if len(line) + len(cell) + 1 > _COLUMNS:
            lines.append(line.rstrip())
            line = pad
        line += f"{cell}, "
    lines.append(line.rstrip())
    return "\n".join(lines).removesuffix(",")


def int8_rows(values: np.ndarray, *, indent: int = 4) -> str:
    """int8 values of any shape in decimal, row after row."""
    return rows((str(value) for value in values.reshape(-1).tolist()), indent=indent)


def float_rows(values: Iterable[float], *, indent: int = 4) -> str:
    """float32 literals, row after row."""
    return rows((float32(value) for value in values), indent=indent)


def byte_lines(content: bytes) -> str:
    """Sixteen hexadecimal bytes a line, so that a line is one row of a hex dump."""
    hexadecimal = [f"0x{byte:02x}" for byte in content]
    return "\n".join(
        "    " + ", ".join(hexadecimal[start : start + 16]) + ","
        for start in range(0, len(hexadecimal), 16)
    ).removesuffix(",")
