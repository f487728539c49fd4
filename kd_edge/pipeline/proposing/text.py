"""A recipe as TOML in which a comment above every line says why it is as it is."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import tomli_w

_WIDTH = 98


@dataclass(frozen=True)
class Line:
    """One key with its value, and why."""

    key: str
    value: object
    why: str


@dataclass(frozen=True)
class Block:
    """A table of the recipe: '[dataset]', '[[students]]', '' for what stands at the top."""

    header: str
    lines: tuple[Line, ...]
    why: str = ""


def to_text(title: str, blocks: Sequence[Block]) -> str:
    """The whole recipe."""
    parts = [_comment(title), *("\n".join(_block(block)) for block in blocks)]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> list[str]:
    rows = [_comment(block.why)] if block.why else []
    if block.header:
        rows.append(block.header)
    for line in block.lines:
        rows += [_comment(line.why), f"{line.key} = {_value(line.value)}"]
    return rows


def _comment(text: str) -> str:
    """Names come from files: no line end of theirs ends a comment."""
    plain = "".join(c if c.isprintable() else "\ufffd" for c in text.replace("\n", " "))
    return "\n".join(f"# {row}" for row in textwrap.wrap(plain, _WIDTH))


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items())
        return f"{{ {inside} }}"
    return tomli_w.dumps({"x": value}).partition("=")[2].strip()


def _key(key: str) -> str:
    return tomli_w.dumps({key: 0}).partition(" = ")[0]
