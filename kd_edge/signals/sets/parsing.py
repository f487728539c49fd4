"""What the sets' adapters share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.recording import Recording


def match_name(pattern: re.Pattern[str], name: str, source: str) -> re.Match[str]:
    """What a file's name says, or KD_BAD_FORMAT."""
    match = pattern.search(name)
    if match is None:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"the file's name is not like '{pattern.pattern}'",
            where=source,
            hint="name the set's own archive or folder, without other files in it",
        )
    return match


def not_like_the_set(source: str, expected: str) -> KdEdgeError:
    """KD_BAD_FORMAT: a file of the set that does not hold what the set's files hold."""
    return KdEdgeError(
        "KD_BAD_FORMAT",
        f"expected {expected}",
        where=source,
        hint="get the set's archive again; its file may be damaged",
    )


def as_samples(values) -> np.ndarray:
    """Numbers as float32, of the same shape and in the same unit.

    Raises:
        ValueError, TypeError: no numbers, or some that float32 cannot hold.
    """
    array = np.asarray(values, dtype=np.float64)
    if not (np.abs(array) <= np.finfo(np.float32).max).all():
        raise ValueError("a sample that is no 32-bit float")
    return array.astype(np.float32)


def in_order_of_time(recordings: Sequence[Recording]) -> list[Recording]:
    """`trial` counted from 0 by `started` within each label, subject and session."""

    def group(r: Recording) -> tuple:
        return (r.subject, r.session, r.label)

    ordered = sorted(recordings, key=lambda r: (group(r), r.started, r.source))
    return [
        replace(recording, trial=trial)
        for _, same in groupby(ordered, key=group)
        for trial, recording in enumerate(same)
    ]
