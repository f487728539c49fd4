"""Folds inside what a fold learns from: choices are made there, so that no test part is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.recipe import Recipe
from kd_edge.recipe.search import split_inside
from kd_edge.signals.recording import RecordingInfo
from kd_edge.splits import (
    Fold,
    HoldOut,
    SplitPart,
    check_duplicates,
    check_training,
    make_folds,
)


@dataclass(frozen=True)
class Inside:
    """Where inside a fold's training and validation parts models are scored.

    Attributes:
        score: sets recordings of the two apart, neither trained on nor used to choose an epoch;
            None scores on the validation part.
        held_out: the subject or session that the fold to train holds out, if `score` makes one for
            each; None for the first.
    """

    score: HoldOut | None = None
    held_out: str | None = None


def folds_inside(
    recordings: Sequence[RecordingInfo], fold: Fold, recipe: Recipe, score: HoldOut | None
) -> tuple[Fold, ...]:
    """Folds whose parts hold nothing of the test parts of another.

    Args:
        recordings: that the fold's indices count in.
        score: as `Inside.score`.

    Raises:
        KdEdgeError: as `make_folds`, with 'search.score' in the place of the test part.
    """
    if score is None:
        return (_on_validation(recordings, fold, recipe),)
    own = fold.learned
    by_session = recipe.split.validation.kind == "leave-session-out"
    validating = [recordings[i] for i in fold.validation.indices]
    names = {each.session if by_session else each.subject for each in validating}
    split = split_inside(recipe.split, score, tuple(sorted(names)))
    try:
        inner = make_folds([recordings[i] for i in own], split, seed=recipe.seed)
    except KdEdgeError as error:
        raise KdEdgeError(
            error.code,
            f"inside the fold '{fold.name}': {_renamed(error.message)}",
            where=_renamed(error.where),
            hint=error.hint,
        ) from error
    folds = tuple(_of(each, own, fold) for each in inner)
    if not recipe.dataset.allow_duplicates:
        check_duplicates(recordings, folds)
    return folds


def _on_validation(recordings: Sequence[RecordingInfo], fold: Fold, recipe: Recipe) -> Fold:
    """The fold with its validation part as its test, from which nothing is learned."""
    part = replace(fold.validation, role="test", leak=None)
    train = np.setdiff1d(fold.train.indices, fold.validation.indices)
    inner = replace(fold, train=replace(fold.train, indices=train), tests=(part,), held_out=None)
    if not fold.validates:  # what may lie in training and validation may not lie in both of these
        check_training(recordings, train)
        if not recipe.dataset.allow_duplicates:
            check_duplicates(recordings, [inner])
    return inner


def _renamed(text: str | None) -> str:
    """Words about the test part that `score` stands for."""
    return (text or "").replace("split.test.0", "search.score")


def _of(inner: Fold, own: np.ndarray, outer: Fold) -> Fold:
    """The fold with indices of all recordings. `own`: (n,) indices of those it was made of."""

    def of(part: SplitPart) -> SplitPart:
        return replace(part, indices=own[part.indices])

    name = inner.name if outer.held_out is None else f"{inner.name}, inside {outer.name}"
    tests = tuple(map(of, inner.tests))
    return replace(
        inner, name=name, train=of(inner.train), validation=of(inner.validation), tests=tests
    )
