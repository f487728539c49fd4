"""What is asked for, in which order."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.untrusted import read_regular

_LONGEST = 100
_MOST = 10_000


@dataclass(frozen=True)
class Prompt:
    """One repetition of one sign, from 1 on."""

    label: str
    repetition: int


def read_prompts(path: Path) -> tuple[str, ...]:
    """The signs of a text file, one a line; what stands behind '#' is left out.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_FORMAT: it cannot be read, names none, or one twice.
    """
    where = str(path)
    try:
        text = read_regular(path).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise KdEdgeError(
            "KD_NO_FILE", f"{path} is not there", where=where, hint="write one sign a line into it"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(f"{path.name} cannot be read: {error}", where) from error
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        label = line.partition("#")[0].strip()
        if not label:
            continue
        if label in found:
            raise _bad(
                f"'{label}' stands there twice", f"{where}, lines {found[label]} and {number}"
            )
        if len(label) > _LONGEST or not label.isprintable():
            raise _bad(f"{label[:40]!r} is no name of a sign", f"{where}, line {number}")
        found[label] = number
    if not found or len(found) > _MOST:
        raise _bad(f"{path.name} names {len(found)} signs", where)
    return tuple(found)


def _bad(what: str, where: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_BAD_FORMAT", what, where=where, hint="one sign a line, each once, as UTF-8"
    )


def ask_for(
    labels: Sequence[str], repetitions: int, done: Mapping[str, int], *, seed: int | None
) -> list[Prompt]:
    """Prompts in random order: every sign once, then every sign again.

    No order then tells the sign, and whoever stops early has about as many of each.

    Args:
        done: label -> repetitions that are recorded already.
        seed: None: another order each time.
    """
    order = random.Random(seed)
    asked = []
    for repetition in range(1, repetitions + 1):
        turn = [Prompt(label, repetition) for label in labels if done.get(label, 0) < repetition]
        order.shuffle(turn)
        if asked and len(turn) > 1 and asked[-1].label == turn[0].label:
            turn.append(turn.pop(0))
        asked += turn
    return asked
