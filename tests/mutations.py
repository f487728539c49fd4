"""Damage that a disk, an editor or an attacker may do to a file; one seed, one damage."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

_PIECES = (
    b"", b",", b"{", b"}", b"[", b"]", b'"', b"\n", b"\0", b"\xff", b"0", b"-1", b"1e999", b"NaN",
    b"null", b"true", b"../", b"\\ud800", b"[/x]", b"\x1b[2J", b"=", b"'",
)  # fmt: skip
_VALUES = (
    None, True, False, 0, -1, 1, 2, 7, 255, 2**31, 2**53, -(2**63), 2**64, 10**40, 0.5, -0.0,
    1e-300, 1e300, -3.25, "", " ", "x", "[/x]", "../../x", "/etc/passwd", "C:\\x", "a\0b", "\ud800",
    "\x1b[2J", "é" * 300, [], {}, [[]], {"x": 1}, "NaN", float("nan"), float("inf"),
)  # fmt: skip


def mutated_bytes(rng: random.Random, content: bytes) -> bytes:
    """The content with up to four pieces cut out, doubled, replaced or put in."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randint(0, len(content))
        end = min(start + rng.choice((0, 0, 1, 2, 5, 40, 400)), len(content))
        middle = rng.choice((*_PIECES, content[start:end] * 2, rng.randbytes(rng.randint(0, 6))))
        content = content[:start] + middle + content[end:]
    return content


def mutated_tree(rng: random.Random, tree: Any) -> Any:
    """The tree with up to three of its values, keys or items changed, dropped, doubled or moved."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.randint(1, 3)):
        holders = [holder for holder in _holders(tree) if holder]
        if not holders:
            return tree
        holder = rng.choice(holders)
        other = rng.choice(holders)
        key = rng.choice(_keys(holder))
        kind = rng.random()
        if kind < 0.5:
            holder[key] = _another(rng, holder[key])
        elif kind < 0.65:
            del holder[key]
        elif kind < 0.8:
            holder[key] = copy.deepcopy(other[rng.choice(_keys(other))])
        elif isinstance(holder, list):
            holder.insert(rng.randint(0, len(holder)), copy.deepcopy(holder[key]))
        else:
            holder[rng.choice(("x", "", "[/x]", "../x", str(key).upper()))] = holder.pop(key)
    return tree


def mutated_json(rng: random.Random, content: bytes) -> bytes:
    """Half of the time damaged bytes, else JSON that says something else."""
    if rng.random() < 0.4:
        return mutated_bytes(rng, content)
    return json.dumps(mutated_tree(rng, json.loads(content))).encode()


def _another(rng: random.Random, value: Any) -> Any:
    """A value near the old one, or one that has broken programs before."""
    if isinstance(value, bool) or rng.random() < 0.5:
        return copy.deepcopy(rng.choice(_VALUES))
    if isinstance(value, int | float):
        return rng.choice((-value, value + 1, value - 1, value * 1000, 0))
    if isinstance(value, str):
        return mutated_bytes(rng, value.encode("utf-8", "replace")).decode("utf-8", "replace")
    return copy.deepcopy(rng.choice(_VALUES))


def _holders(tree: Any) -> list:
    found = [tree] if isinstance(tree, dict | list) else []
    for holder in found:
        items = holder.values() if isinstance(holder, dict) else holder
        found += [item for item in items if isinstance(item, dict | list)]
    return found


def _keys(holder: dict | list) -> list:
    return list(holder) if isinstance(holder, dict) else list(range(len(holder)))
