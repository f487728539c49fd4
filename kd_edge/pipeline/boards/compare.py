"""A board's answers beside the host's: agreement, disagreements and distributions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from kd_edge.report.board_tree import Agreement, Disagreement, Spread
from kd_edge.runtimes.registry import ORACLE
from kd_edge.tasks import Task

_BINS = 24


def agreement(
    runtime: str,
    board: np.ndarray,
    host: np.ndarray,
    *,
    task: Task,
    shape: tuple[int, ...] | None = None,
) -> Agreement:
    """How often the answers are the same.

    Args:
        board, host: (n, ..., classes) int8 scores of the same windows, or whole answers.
        task: what they mean.
        shape: (..., classes) of the scores in whole answers, (n, bytes): behind them a composition
            says which model answered.
    """
    steps = _steps(board, host)
    board, host = (_scores(answers, shape) for answers in (board, host))
    return Agreement(
        runtime=runtime,
        n_windows=len(board),
        same_scores=int(np.sum(steps == 0)),
        same_class=int(np.sum(_alike(task.decide(board), task.decide(host)))),
        largest_step=int(steps.max(initial=0)),
    )


def disagreements(
    runtime: str,
    board: np.ndarray,
    host: np.ndarray,
    described: Sequence[tuple[str, int, str, str]],
    class_names: Sequence[str],
    *,
    task: Task,
    shape: tuple[int, ...] | None = None,
) -> tuple[Disagreement, ...]:
    """Every window that the host decides otherwise, or where it is the oracle scores otherwise.

    LiteRT's int8 answers differ by a step here and there from TFLite Micro's, which a board must
    give: only other decisions than its are worth a line.

    Args:
        board, host: (n, ..., classes) int8 scores of the same windows.
        described: a window's part, number in it, recording and label.
        shape: as for `agreement`.
    """
    steps = _steps(board, host)
    mine, theirs = (task.decide(_scores(answers, shape)) for answers in (board, host))
    alike = _alike(mine, theirs)
    return tuple(
        Disagreement(
            runtime,
            *described[i],
            board_class=task.told(mine[i], class_names),
            host_class=task.told(theirs[i], class_names),
            largest_step=int(steps[i]),
            same_class=bool(alike[i]),
        )
        for i in np.flatnonzero(steps if runtime == ORACLE else ~alike)
    )


def spread(values: Sequence[float], unit: str) -> Spread | None:
    """The distribution of a figure over windows; None without any."""
    if not len(values):
        return None
    array = np.asarray(values, dtype=np.float64)
    p5, median, p95, p99 = (float(v) for v in np.percentile(array, (5, 50, 95, 99)))
    counts, edges = np.histogram(array, bins=_BINS if np.ptp(array) else 1)
    return Spread(
        unit=unit,
        n=len(array),
        smallest=float(array.min()),
        p5=p5,
        median=median,
        p95=p95,
        p99=p99,
        largest=float(array.max()),
        histogram=tuple(
            (float(low), float(high), int(n))
            for low, high, n in zip(edges[:-1], edges[1:], counts, strict=True)
        ),
    )


def _scores(answers: np.ndarray, shape: tuple[int, ...] | None) -> np.ndarray:
    return answers if shape is None else answers[:, : prod(shape)].reshape(-1, *shape)


def _steps(board: np.ndarray, host: np.ndarray) -> np.ndarray:
    apart = np.abs(board.astype(np.int32) - host.astype(np.int32))
    return apart.max(axis=tuple(range(1, apart.ndim)), initial=0)


def _alike(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(n,) whether all decisions about an example are the same."""
    return (left == right).all(axis=tuple(range(1, left.ndim)))
