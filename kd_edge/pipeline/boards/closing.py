"""What boards say of themselves once the windows are done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kd_edge.base.errors import KdEdgeError
from kd_edge.link.messages import Memory
from kd_edge.pipeline.boards.targets import Target
from kd_edge.pipeline.boards.work import Done


@dataclass
class Closing:
    """What was asked after the last window, as far as it was answered.

    Attributes:
        memories: board -> its memory and receive counters.
        golden_failures: board -> golden vectors that failed.
    """

    memories: dict[int, Memory] = field(default_factory=dict)
    golden_failures: dict[int, int] = field(default_factory=dict)


def ask_closing(targets: Sequence[Target], done: Done) -> Closing:
    """Memory and self-test of every board that still answers.

    After Ctrl-C only memory is asked for, after a second one nothing. Boards that fail here, and
    Ctrl-C, are noted in `done`: what was measured is kept.
    """
    found = Closing()
    if done.abandoned:
        return found
    try:
        for index, target in enumerate(targets):
            if index not in done.faults:
                _ask(index, target, done, found)
    except KeyboardInterrupt:
        done.interrupted = True
    return found


def _ask(index: int, target: Target, done: Done, found: Closing) -> None:
    try:
        found.memories[index] = target.device.memory()
        if not done.interrupted:
            found.golden_failures[index] = len(target.device.selftest().failures)
    except KdEdgeError as error:
        done.faults[index] = error
