"""Copies and near duplicates that would let a test part flatter a model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.recording import RecordingInfo
from kd_edge.splits.folds import Fold


def check_duplicates(recordings: Sequence[RecordingInfo], folds: Sequence[Fold]) -> None:
    """Stop where copies, or recordings that resemble each other, would flatter a figure.

    Copies may not lie on both sides of a split, under two subjects or under two labels. Near
    duplicates may not lie on both sides of a split.

    Raises:
        KdEdgeError KD_DUPLICATES: with their names.
    """
    kind = recordings[0].kind if recordings else ""
    copies = [
        (group, reason)
        for group in _groups(recording.content_sha256 for recording in recordings)
        if (reason := _two_names(recordings, group) or _both_sides(group, folds))
    ]
    if copies:
        raise _error(recordings, copies, f"{kind}s hold the same samples and")
    near = [
        (group, reason)
        for group in _groups(recording.group for recording in recordings)
        if (reason := _both_sides(group, folds))
    ]
    if near:
        raise _error(recordings, near, f"{kind}s resemble each other and")


def _groups(names) -> list[list[int]]:
    """Indices of those that share a name; '' is no name."""
    members = defaultdict(list)
    for index, name in enumerate(names):
        members[name].append(index)
    return [group for name, group in members.items() if name and len(group) > 1]


def _error(
    recordings: Sequence[RecordingInfo], found: list[tuple[list[int], str]], what: str
) -> KdEdgeError:
    group, reason = found[0]
    more = f"; so do {len(found) - 1} more groups" if len(found) > 1 else ""
    return KdEdgeError(
        "KD_DUPLICATES",
        f"{len(group)} {what} {reason}{more}",
        where="; ".join(recordings[i].name for i in group[:6]),
        hint="remove all but one, hold out whole groups (kind = 'random-groups'), or set "
        "dataset.allow_duplicates = true and say so",
    )


def _two_names(recordings: Sequence[RecordingInfo], group: Sequence[int]) -> str | None:
    for what in ("subject", "label"):
        names = {str(getattr(recordings[i], what)) for i in group}
        if len(names) > 1:
            return f"stand under different {what}s: {', '.join(sorted(names)[:6])}"
    return None


def _both_sides(group: Sequence[int], folds: Sequence[Fold]) -> str | None:
    for fold in folds:
        sides = {part.name for part in fold.sides if np.isin(group, part.indices).any()}
        if len(sides) > 1:
            return f"lie on both sides of a split: {', '.join(sorted(sides))}"
    return None
