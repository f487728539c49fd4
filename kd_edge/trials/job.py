"""One training of a sweep: what it needs, and what comes of it, on whatever machine it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.pipeline.inside import Inside
from kd_edge.pipeline.trial import Trial, train_and_score
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Recipe


@dataclass(frozen=True)
class Job:
    """One training: a recipe with a seed, in a fold.

    Attributes:
        name: unique among the jobs of a sweep.
        fold: as `train_and_score` takes it.
        inside: score on a part of what the fold learns from; None scores on the test parts.
        judged: the model whose epochs are judged; None judges no epoch.
    """

    name: str
    recipe: Recipe
    seed: int
    fold: str | None = None
    inside: Inside | None = None
    judged: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a job: a trial, an error of the user's to mend, or neither if it was stopped."""

    trial: Trial | None = None
    error: KdEdgeError | None = None


class StopError(Exception):
    """Ends a training from inside: its epochs do not promise enough."""


# Told the judged model's epoch, counted from 1, and the share of the validation part that it
# decides rightly, 0 to 1; says whether the training is to end.
Judge = Callable[[int, float], bool]


def run_job(job: Job, data: Path | None, *, cache: bool, watch: Watch, judge: Judge) -> Outcome:
    """Train and score.

    Args:
        data: the recordings on this machine; None for a reader that needs none.
        cache: whether the user's cache is used.
        watch: told of stages and epochs.
    """
    try:
        trial = train_and_score(
            job.recipe,
            data=data,
            seed=job.seed,
            fold=job.fold,
            inside=job.inside,
            cache=cache,
            watch=watch if job.judged is None else _Judging(watch, job.judged, judge),
        )
    except StopError:
        return Outcome()
    except KdEdgeError as error:
        return Outcome(error=error)
    return Outcome(trial=trial)


class _Judging(Watch):
    """Tells on what it is told, and ends the training that the judge has had enough of."""

    def __init__(self, watch: Watch, model: str, judge: Judge):
        self._model = model
        self._judge = judge
        self.stage = watch.stage
        self.step = watch.step
        self.note = watch.note
        self._epoch = watch.epoch

    def epoch(self, progress) -> None:
        self._epoch(progress)
        value = progress.validation_accuracy
        judged = progress.model == self._model and value is not None
        if judged and self._judge(progress.epoch, value):
            raise StopError
