"""`ablate`: a recipe without each of its parts, as paired differences over people."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.models.keras_start import set_keras
from kd_edge.pipeline.context import folds_of
from kd_edge.pipeline.dataset import load_dataset
from kd_edge.pipeline.fleet import by_either_road, train_fleet
from kd_edge.pipeline.names import check_names
from kd_edge.pipeline.store import user_store
from kd_edge.pipeline.trial import Trial
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Recipe
from kd_edge.report.ablation import Ablation, AblationRow, Difference
from kd_edge.tasks.intervals import difference_interval
from kd_edge.trials.executors import Executor
from kd_edge.trials.job import Job, Outcome
from kd_edge.trials.variants import AS_IT_IS, Variant, student_of, variants

PEOPLE, RECORDINGS = "people", "recordings"
# Of fewer, whoever draws people nearly always draws the same few again.
_LEAST_PEOPLE = 5


def ablate(
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    data: Path | None,
    executor: Executor | None = None,
    cache: bool = True,
    watch: Watch | None = None,
) -> Ablation:
    """Train the recipe and its variants with every seed in every fold, and compare them.

    Finished trainings are kept in the user's cache: an interrupted ablation goes on there.

    Args:
        seeds: two or more.
        data: the recordings; None for a reader that needs none.
        executor: runs each training by itself; None trains a variant's folds and seeds together.

    Raises:
        KdEdgeError: as `train_fleet`, with the variant's name.
    """
    set_keras()
    watch = watch or Watch()
    found = variants(recipe)
    for variant in found:
        check_names(variant.recipe)
    if executor is None:
        trials = _together(found, seeds, data, cache=cache, watch=watch)
    else:
        store = user_store(cache, note=watch.note)
        dataset = load_dataset(recipe, data, store=store, progress=watch.step)
        folds = [fold.held_out for fold in folds_of(recipe, dataset)]
        trials = _each(found, seeds, folds, executor, watch)
    student = student_of(recipe).name
    measured = {name: _measured(of, student, seeds) for name, of in trials.items()}
    base = measured[AS_IT_IS]
    leaky = {part for trial in trials[AS_IT_IS] for part in trial.leaky}
    return Ablation(
        student=student,
        seeds=tuple(seeds),
        folds=tuple(sorted({trial.fold for trial in trials[AS_IT_IS]})),
        rows=tuple(_row(variant, measured[variant.name], base, leaky) for variant in found),
    )


def _together(
    found: Sequence[Variant], seeds: Sequence[int], data: Path | None, *, cache: bool, watch: Watch
) -> dict[str, Sequence[Trial]]:
    """Every variant's trials, variant by variant, all by one road."""
    asked = {"seeds": seeds, "data": data, "cache": cache, "watch": watch}
    return by_either_road(lambda alone: _fleets(found, asked, one_by_one=alone), watch)


def _fleets(
    found: Sequence[Variant], asked: Mapping[str, Any], *, one_by_one: bool | None
) -> dict[str, Sequence[Trial]]:
    trials = {}
    for at, variant in enumerate(found, 1):
        asked["watch"].note(f"ablation {at} of {len(found)}: {variant.name}")
        try:
            fleet = train_fleet(variant.recipe, one_by_one=one_by_one, **asked)
        except KdEdgeError as error:
            raise _of(variant.name, error) from error
        trials[variant.name] = fleet.trials
    return trials


def _each(
    found: Sequence[Variant],
    seeds: Sequence[int],
    folds: Sequence[str | None],
    executor: Executor,
    watch: Watch,
) -> dict[str, Sequence[Trial]]:
    """Every variant's trials, as many trainings at a time as the executor takes."""
    owners: dict[str, str] = {}
    jobs = []
    for variant in found:
        for seed in seeds:
            for fold in folds:
                name = f"{variant.name}, seed {seed}" + (f", without {fold}" if fold else "")
                owners[name] = variant.name
                jobs.append(Job(name, variant.recipe, seed, fold))
    trials: dict[str, list[Trial]] = {variant.name: [] for variant in found}
    waiting = iter(jobs)

    def done(job: Job, outcome: Outcome) -> None:
        if outcome.error is not None:
            raise _of(job.name, outcome.error) from outcome.error
        trials[owners[job.name]].append(outcome.trial)
        n_done = sum(map(len, trials.values()))
        watch.note(f"ablation {n_done} of {len(jobs)}: {job.name}")

    executor.run(lambda: next(waiting, None), judge=lambda *told: False, done=done)
    return trials


def _of(name: str, error: KdEdgeError) -> KdEdgeError:
    """An error with the name of the variant that it ended."""
    where = name + (f": {error.where}" if error.where else "")
    return KdEdgeError(error.code, error.message, where=where, hint=error.hint)


@dataclass(frozen=True, eq=False)
class PartTally:
    """One part of all folds together, recording by recording.

    Attributes:
        right: (seeds, recordings) examples that are right; one right in part counts in part.
        n: (seeds, recordings) examples; 0 if a random split did not put the recording there.
        subjects: (recordings,) names.
    """

    right: np.ndarray
    n: np.ndarray
    subjects: np.ndarray

    @property
    def means(self) -> np.ndarray:
        """(seeds,) share of all examples that is right, 0 to 1."""
        return self.right.sum(axis=1) / self.n.sum(axis=1)

    @property
    def over_seeds(self) -> np.ndarray:
        """(examples,) share of each example's recording that is right over the seeds, 0 to 1."""
        n = self.n.sum(axis=0)
        return np.repeat(self.right.sum(axis=0) / n, n)


def _measured(trials: Sequence[Trial], student: str, seeds: Sequence[int]) -> dict[str, PartTally]:
    """How far a student has each recording right, part by part; recordings in one order."""
    found: dict[str, dict[tuple[str, int], dict[int, tuple[float, int]]]] = defaultdict(dict)
    subjects: dict[tuple[str, int], str] = {}
    for trial in trials:
        (model,) = [model for model in trial.students if model.name == student]
        for part, tally in model.tallies.items():
            for recording, subject, right, n in zip(
                tally.recordings, tally.subjects, tally.right, tally.n, strict=True
            ):
                place = (trial.fold, recording)
                found[part].setdefault(place, {})[trial.seed] = (right, n)
                subjects[place] = subject
    measured = {}
    for part, of_part in found.items():
        places = sorted(of_part)
        counts = np.array([[of_part[p].get(seed, (0, 0)) for p in places] for seed in seeds])
        measured[part] = PartTally(
            right=counts[..., 0],
            n=counts[..., 1].astype(np.int64),
            subjects=np.array([subjects[place] for place in places]),
        )
    return measured


def _row(
    variant: Variant, measured: dict[str, PartTally], base: dict[str, PartTally], leaky: set[str]
) -> AblationRow:
    # Other orders of a wearer's recordings are there behind a running normaliser alone.
    parts = [name for name in base if name in measured]
    return AblationRow(
        variant.name,
        variant.what,
        tuple(compare(n, measured[n], base[n], leaky=n in leaky) for n in parts),
    )


def compare(name: str, one: PartTally, base: PartTally, *, leaky: bool) -> Difference:
    """The difference of two models on the same examples, over seeds and people.

    The interval draws people, each with all their recordings, averaged over the seeds; where the
    part has few, it draws recordings, and speaks of these people alone.
    """
    paired = (one.means - base.means).tolist()
    people = len(set(base.subjects.tolist()))
    over = PEOPLE if people >= _LEAST_PEOPLE else RECORDINGS
    groups = base.subjects if over == PEOPLE else np.arange(len(base.subjects))
    interval = None
    if one is not base:
        drawn = np.repeat(groups, base.n.sum(axis=0))
        interval = difference_interval(one.over_seeds, base.over_seeds, drawn)
        interval = replace(interval, method=interval.method.replace(RECORDINGS, over))
    means = one.means.tolist()
    return Difference(
        part=name,
        leaky=leaky,
        means=tuple(means),
        mean=statistics.fmean(means),
        deviation=statistics.stdev(means),
        difference=statistics.fmean(paired),
        deviation_of_difference=statistics.stdev(paired),
        interval=interval,
        over=over,
        n=len(set(groups.tolist())),
    )
