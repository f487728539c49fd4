"""A board's decisions beside Python's."""

from __future__ import annotations

from collections.abc import Container

from kd_edge.base.decision import DecisionRule, Memory, decide
from kd_edge.pipeline.boards.work import Done
from kd_edge.report.board_tree import DecisionsAlike


def decisions_alike(rule: DecisionRule, done: Done, goes_on: Container[int]) -> DecisionsAlike:
    """How often a board decides as Python does on the same scores, in the first repetition.

    Behind a window that was not answered nothing is compared until a window begins anew.

    Args:
        goes_on: windows that follow the one before.
    """
    memory, compared, same, onsets, rejected = None, 0, 0, 0, 0
    awaited = 0
    for window in sorted(window for window, repeat in done.answers if repeat == 0):
        answer = done.answers[window, 0]
        if window not in goes_on:
            memory = Memory(rule)
        elif window != awaited:
            memory = None
        awaited = window + 1
        if memory is None or answer.decision is None:
            continue
        memory, decision = decide(rule, memory, answer.scores[: rule.classes])
        compared += 1
        same += decision == answer.decision
        onsets += answer.decision.onset
        rejected += answer.decision.rejected
    return DecisionsAlike(compared, same, onsets, rejected)
