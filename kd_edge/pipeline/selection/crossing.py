"""What students say to training examples that they were not trained on: cross-fitting.

A student's answers to its own lessons hide its mistakes. So the training part is dealt into a few
shares of whole people or groups, and for each share teachers and students are trained on the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.examples import Examples
from kd_edge.pipeline.context import WORK_FOLDER, Context
from kd_edge.pipeline.parts import fold_windows
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.training import FoldTrainer, network_of, predictor
from kd_edge.signals.recording import RecordingInfo
from kd_edge.splits import Fold

_HELD = "held out of training"


@dataclass(frozen=True, eq=False)
class Crossed:
    """Students' answers to the training part, each by a student that had not seen the example.

    Attributes:
        logits: student -> (n, ..., classes) float32, in the order of the training part.
        key: digest of everything that they depend on.
    """

    logits: dict[str, np.ndarray]
    key: str


def cross_fit(context: Context, names: Sequence[str], folds: int) -> Crossed:
    """Train the first fold's teachers and the named students anew for each share.

    Args:
        names: of students. folds: shares of the training part.

    Raises:
        KdEdgeError KD_EMPTY_PART: the training part has fewer groups than shares.
    """
    outer = context.data
    digests, parts = [], []
    for make_trainer in share_trainers(context, folds):
        trainer = make_trainer()
        every = trainer.students(trainer.teachers())
        students = [next(s for s in every if s.name == name) for name in names]
        digests.append([trainer.data.key, [student.digest for student in students]])
        parts.append((trainer.data, students))
    key = key_of(outer.key, digests, list(names))

    def make() -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for data, students in parts:
            held = data.tests[_HELD]
            at = places(outer.training, held)
            for student in students:
                said = predictor(network_of(student, context.out))(held.only(student.inputs))
                rows = found.setdefault(
                    student.name,
                    np.full((len(outer.training), *said.shape[1:]), np.nan, np.float32),
                )
                rows[at] = said
        return found

    logits = context.stages.arrays("answers out of sample", key, make)
    return Crossed(logits, key)


def share_trainers(context: Context, folds: int) -> list[Callable[[], FoldTrainer]]:
    """Of each share, what makes the trainer of models that do not see it.

    Raises:
        KdEdgeError KD_EMPTY_PART: as `cross_fit`.
    """
    dealt = enumerate(shares(context, folds))
    return [partial(_share_trainer, context, held, place) for place, held in dealt]


def _share_trainer(context: Context, held: np.ndarray, place: int) -> FoldTrainer:
    fold = _without(context.data.plain, held, place)
    data = fold_windows(context.dataset, fold, context.recipe)
    return FoldTrainer(context, data, folder=f"{WORK_FOLDER}/cross-{place + 1}/")


def shares(context: Context, folds: int) -> tuple[np.ndarray, ...]:
    """The training part's recordings, dealt into shares of whole people, else of whole groups.

    Returns:
        int64 indices of recordings, (n,) a share; together they are the training part.

    Raises:
        KdEdgeError KD_EMPTY_PART: fewer groups than shares.
    """
    indices, recordings = context.data.plain.train.indices, context.dataset.recordings
    dealt = deal(_units([recordings[i] for i in indices], folds), folds, context.recipe.seed)
    return tuple(indices[dealt == share] for share in range(folds))


def deal(units: Sequence[str], folds: int, seed: int) -> np.ndarray:
    """(n,) int share of each recording: those of one unit in one share, shares of about one size.

    Args:
        units: what each recording belongs to.

    Raises:
        KdEdgeError KD_EMPTY_PART: fewer units than shares.
    """
    names, owner, sizes = np.unique(list(units), return_inverse=True, return_counts=True)
    if len(names) < folds:
        raise KdEdgeError(
            "KD_EMPTY_PART",
            f"the training part has {len(names)} groups of recordings, too few for {folds} shares",
            where="selector.folds",
            hint="choose fewer, or train on more recordings",
        )
    filled, share_of = np.zeros(folds), np.zeros(len(names), int)
    # The largest first, each into the emptiest share; equals in an order of chance.
    shuffled = np.random.default_rng(seed).permutation(len(names))
    for unit in sorted(shuffled, key=lambda unit: -sizes[unit]):
        share_of[unit] = filled.argmin()
        filled[share_of[unit]] += sizes[unit]
    return share_of[owner]


def _units(recordings: Sequence[RecordingInfo], folds: int) -> list[str]:
    """What stays together: a person's recordings, where there are people enough."""
    subjects = [recording.subject for recording in recordings]
    if len(set(subjects)) >= folds and "" not in subjects:
        return subjects
    return [recording.group or recording.content_sha256 for recording in recordings]


def _without(outer: Fold, held: np.ndarray, place: int) -> Fold:
    train = replace(outer.train, indices=np.setdiff1d(outer.train.indices, held))
    test = replace(outer.train, name=_HELD, role="test", indices=held)
    name = f"{outer.name}, share {place + 1} left out"
    return replace(outer, name=name, train=train, tests=(test,), held_out=None)


def places(whole: Examples, part: Examples) -> np.ndarray:
    """(m,) int64 places in `whole` of the examples of a part of its recordings.

    Both have a recording's examples in one order.
    """
    at: dict[int, list[int]] = {}
    for place, recording in enumerate(whole.groups.recording.tolist()):
        at.setdefault(recording, []).append(place)
    taken: dict[int, int] = {}
    found = []
    for recording in part.groups.recording.tolist():
        nth = taken[recording] = taken.get(recording, -1) + 1
        found.append(at[recording][nth])
    return np.array(found, np.int64)
