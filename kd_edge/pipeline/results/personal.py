"""A last layer for each person whom a row tests, from their first repetitions."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.flatbuffer import model_bytes, read_tflite
from kd_edge.base.head import find_head, with_head
from kd_edge.examples import Examples
from kd_edge.personalise import Few, fit_prototypes
from kd_edge.pipeline.personalise import find_layer
from kd_edge.pipeline.prototypes import embed
from kd_edge.pipeline.results.answers import TrainedFold
from kd_edge.pipeline.results.figures import Right, mean_of
from kd_edge.pipeline.stages import key_of
from kd_edge.report import results_tree as tree
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.registry import ON_PHONES, ORACLE, open_interpreter, version
from kd_edge.signals.recording import RecordingInfo
from kd_edge.tasks.classification import CLASSIFICATION


@dataclass(frozen=True, eq=False)
class Point:
    """Windows after the first repetitions, answered by both layers.

    Attributes:
        built, personal: with the layer as built, and with the one that `personalise` would ship.
        taken: whether that is the wearer's, of each person.
    """

    built: Right
    personal: Right
    taken: tuple[bool, ...]


def personal_of(
    asked: TrainedFold, student: str, part: str, repetitions: Sequence[int]
) -> dict[int, Point]:
    """Repetitions -> answers to the windows that come later, of every person of a test part.

    The student is the one in int8 on TFLite Micro. Nothing is trained.
    """
    data, recordings = asked.data, asked.context.dataset.recordings
    windows = data.tests[part]
    file, sha256 = asked.converted(student)
    inputs = asked.models[student].inputs
    order, number = _repetitions(windows, recordings)
    # (repetitions, person) -> the windows that are tested on.
    later = {
        (k, str(person)): np.flatnonzero((windows.groups.subject == person) & (number >= k))
        for k in repetitions
        for person in np.unique(windows.groups.subject)
    }
    later = {where: which for where, which in later.items() if len(which)}

    def make() -> dict[str, np.ndarray]:
        training = data.training.in_memory()
        prototypes = fit_prototypes(
            embed(file, training.only(inputs), ON_PHONES),
            training.truth,
            training.groups.subject,
            len(training.class_names),
        )
        embedding = embed(file, windows.only(inputs), ORACLE)
        built = _decided(file, windows.only(inputs))
        answers = {"built": built}
        for (k, person), tested in later.items():
            given = (windows.groups.subject == person) & (number < k)
            found = None
            if given.any():
                few = Few(
                    embedding[given], windows.truth[given], order[windows.groups.recording[given]]
                )
                found = find_layer(few, find_head(read_tflite(file)), prototypes)
            said = built[tested]
            if found is not None and found.taken:
                said = _with_layer(file, found.head, windows.take(tested).only(inputs))
            answers[f"{k}/{person}"] = said
            answers[f"{k}/{person}/taken"] = np.array(found is not None and found.taken)
        return answers

    key = key_of(data.key, sha256, inputs, part, list(repetitions), version(ON_PHONES))
    name = f"wearers' layers of {asked.folder}{student}"
    answers = asked.context.stages.arrays(name, key, make)
    return {
        k: _point(windows, answers, {who: which for (n, who), which in later.items() if n == k}, k)
        for k in sorted({k for k, _ in later})
    }


def _repetitions(
    windows: Examples, recordings: Sequence[RecordingInfo]
) -> tuple[np.ndarray, np.ndarray]:
    """(recordings,) places in time, and (windows,) which of its label and person each is of."""
    order = np.zeros(len(recordings), np.int64)
    number = np.zeros(len(recordings), np.int64)
    seen: dict[tuple[str, str | None], int] = {}
    owners = np.unique(windows.groups.recording).tolist()
    for place, owner in enumerate(sorted(owners, key=lambda at: recordings[at].moment)):
        whose = recordings[owner].subject, recordings[owner].label
        order[owner], number[owner] = place, seen.get(whose, 0)
        seen[whose] = number[owner] + 1
    return order, number[windows.groups.recording]


def _decided(file: Path, windows: Examples) -> np.ndarray:
    return CLASSIFICATION.decide(run_windows(open_interpreter(ORACLE, file), windows).raw)


def _with_layer(file: Path, head, windows: Examples) -> np.ndarray:
    with tempfile.TemporaryDirectory(prefix="kd-edge-wearer-") as folder:
        personal = Path(folder) / "personal.tflite"
        personal.write_bytes(with_head(model_bytes(file), head))
        return _decided(personal, windows)


def _point(windows: Examples, answers: Mapping, later: Mapping[str, np.ndarray], k: int) -> Point:
    def right(said: np.ndarray, which: np.ndarray) -> Right:
        groups = windows.groups
        return Right(
            said == windows.truth[which],
            groups.recording[which],
            groups.subject[which],
            groups.session[which],
        )

    built = [right(answers["built"][which], which) for which in later.values()]
    personal = [right(answers[f"{k}/{who}"], which) for who, which in later.items()]
    taken = tuple(bool(answers[f"{k}/{who}/taken"]) for who in later)
    return Point(Right.join(built), Right.join(personal), taken)


def personal_points(
    seeds: Sequence[Sequence[Mapping[int, Point]]],
) -> tuple[tree.PersonalPoint, ...]:
    """The curve over seeds and people.

    Args:
        seeds: repetitions -> answers, of each fold, of each seed.
    """
    found = []
    for k in sorted({k for folds in seeds for fold in folds for k in fold}):
        points = [[fold[k] for fold in folds if k in fold] for folds in seeds]
        taken = [yes for folds in points for point in folds for yes in point.taken]
        found.append(
            tree.PersonalPoint(
                repetitions=k,
                built=mean_of([Right.join([p.built for p in folds]) for folds in points]),
                personal=mean_of([Right.join([p.personal for p in folds]) for folds in points]),
                taken=sum(taken) / len(taken),
            )
        )
    return tuple(found)
