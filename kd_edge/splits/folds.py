"""Folds: which recordings train, validate and test, and what leaks between them."""

from __future__ import annotations

import fnmatch
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.signals.recording import RecordingInfo
from kd_edge.splits.settings import HoldOut, Split

# The honesty rank from which figures flatter.
_LEAKY = 4
# What is said where some resemble those that models learned from, and its rank.
LOOKS_ALIKE = ("{n} {kind}s resemble {kind}s on the other side", 5)


@dataclass(frozen=True, eq=False)
class SplitPart:
    """Recordings with one role.

    Attributes:
        indices: (n,) int64 into the dataset's recordings.
        kind: of the hold-out, for a test or validation part; 'train' for the training part.
        leak: None where neither subject nor session nor recording lies on both sides; else words
            to show beside every figure.
        honesty: 0 is the most honest; orders tables.
    """

    name: str
    role: str
    kind: str
    indices: np.ndarray
    leak: str | None
    honesty: int

    @property
    def leaky(self) -> bool:
        """Whether the part flatters models: recordings on both sides, or a random split."""
        return self.honesty >= _LEAKY


@dataclass(frozen=True, eq=False)
class Fold:
    """One way to train and test; `tests` has the most honest part first.

    Attributes:
        held_out: the subject or session that this fold tests, where there is a fold for each; the
            subject that it is of, where folds lie within subjects.
        validates: whether the validation part chooses anything; False where models learn from it
            too.
    """

    name: str
    train: SplitPart
    validation: SplitPart
    tests: tuple[SplitPart, ...]
    held_out: str | None = None
    validates: bool = True

    @property
    def parts(self) -> tuple[SplitPart, ...]:
        return (self.train, self.validation, *self.tests)

    @property
    def learned(self) -> np.ndarray:
        """(n,) indices of the recordings of training and validation, each once, rising."""
        return np.union1d(self.train.indices, self.validation.indices)

    @property
    def sides(self) -> tuple[SplitPart, ...]:
        """The parts that may have no recording in common."""
        return self.parts if self.validates else (self.train, *self.tests)


def make_folds(recordings: Sequence[RecordingInfo], split: Split, *, seed: int) -> tuple[Fold, ...]:
    """The folds that a split makes of a dataset: one, or one for each held-out name or subject.

    Raises:
        KdEdgeError KD_ONE_CLASS, KD_RECIPE_VALUE (a held-out name that the data lack),
            KD_EMPTY_PART, KD_CLASS_NOT_IN_TRAINING.

    Example:
        >>> recordings = [
        ...     RecordingInfo(f"{s}{x}{t}", x, s, "day 1", t, None, False, f"{s}{x}{t}")
        ...     for s in ("Ann", "Bob") for x in "ab" for t in range(3)
        ... ]
        >>> split = Split(
        ...     test=(HoldOut(kind="leave-one-subject-out", held_out=("Bob",)),),
        ...     validation=HoldOut(kind="last-repetitions", repetitions=1),
        ... )
        >>> (fold,) = make_folds(recordings, split, seed=1)
        >>> [(part.name, len(part.indices), part.leak) for part in fold.parts]
        [('training', 4, None), ('validation', 2, None), ('leave-one-subject-out', 6, None)]
    """
    _check_classes(recordings)
    everybody = np.arange(len(recordings))
    if split.within == "subject":
        return tuple(
            replace(_make_fold(f"{name} alone", recordings, own, split, seed), held_out=name)
            for name, own in _by_subject(recordings).items()
        )
    each = next((part for part in split.test if part.held_out == "each"), None)
    if each is None:
        return (_make_fold("all", recordings, everybody, split, seed),)
    names = sorted({_group(recording, each.kind) for recording in recordings}, key=_natural)
    return tuple(
        replace(
            _make_fold(
                f"without {name}",
                recordings,
                everybody,
                _holding_out(split, each, name, after=names[(at + 1) % len(names)]),
                seed,
            ),
            held_out=name,
        )
        for at, name in enumerate(names)
    )


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """Orders names as people do: 'person 2' before 'person 10'."""
    return tuple((int(p), "") if p.isdecimal() else (0, p) for p in re.split(r"([0-9]+)", name))


def _by_subject(recordings: Sequence[RecordingInfo]) -> dict[str, np.ndarray]:
    """Subject -> (n,) indices of the recordings, in the natural order of names."""
    subjects = np.array([recording.subject for recording in recordings])
    return {
        str(name): np.flatnonzero(subjects == name)
        for name in sorted(set(subjects.tolist()), key=_natural)
    }


def _check_classes(recordings: Sequence[RecordingInfo]) -> None:
    labels = {recording.label for recording in recordings}
    if recordings and labels == {None}:
        return  # parts of each have a class of their own
    if len(labels) < 2:
        raise KdEdgeError(
            "KD_ONE_CLASS",
            f"the dataset holds one class only: {', '.join(map(str, labels)) or 'none'}",
            where=f"{len(recordings)} recordings",
            hint="a recogniser needs two classes or more; check dataset.classes and the labels",
        )


def _holding_out(split: Split, each: HoldOut, name: str, *, after: str) -> Split:
    """The split of one fold.

    Args:
        after: the name that follows `name`; after the last one, the first.
    """
    tests = tuple(replace(part, held_out=(name,)) if part is each else part for part in split.test)
    validation = split.validation
    if validation.held_out == "next":
        validation = replace(validation, held_out=(after,))
    return replace(split, test=tests, validation=validation)


def _make_fold(
    name: str,
    recordings: Sequence[RecordingInfo],
    used: np.ndarray,
    split: Split,
    seed: int,
) -> Fold:
    """Args: used: (n,) indices of the recordings that the fold is made of."""
    rng = np.random.default_rng(seed)
    left = used
    taken = []
    for index, part in enumerate((*split.test, split.validation)):
        where = "split.validation" if part is split.validation else f"split.test.{index}"
        indices = _TAKE[part.kind](recordings, left, part, where, rng)
        if not len(indices):
            raise KdEdgeError(
                "KD_EMPTY_PART",
                f"{where} ({part.title}) holds no {recordings[0].kind}: the parts before it left "
                f"{len(left)} of {len(used)}",
                where=where,
                hint="`kd-edge data inspect` shows subjects, sessions and repetitions",
            )
        taken.append(indices)
        left = np.setdiff1d(left, indices)
    *tests, validation = taken
    learned = np.concatenate([left, validation])
    training, told = left, None
    if split.train_on_validation:
        training, told = np.sort(learned), "models learn from it too, so it chooses nothing"
    check_training(recordings, training)
    parts = [
        _test_part(part, recordings, learned, indices)
        for part, indices in zip(split.test, tests, strict=True)
    ]
    return Fold(
        name=name,
        train=SplitPart("training", "train", "train", training, None, 0),
        validation=SplitPart(
            "validation", "validation", split.validation.kind, validation, told, 0
        ),
        tests=tuple(sorted(parts, key=lambda part: part.honesty)),
        validates=not split.train_on_validation,
    )


def _test_part(
    part: HoldOut, recordings: Sequence[RecordingInfo], learned: np.ndarray, indices: np.ndarray
) -> SplitPart:
    leak, honesty = describe_leak(
        [recordings[i] for i in learned], [recordings[i] for i in indices], part.kind
    )
    near = _near_leak(recordings, learned, indices)
    if near is not None and near[1] > honesty:
        leak, honesty = near
    return SplitPart(part.title, "test", part.kind, indices, leak, honesty)


def describe_leak(
    learned: Sequence[RecordingInfo], tested: Sequence[RecordingInfo], kind: str
) -> tuple[str | None, int]:
    """What lies on both sides, as a sentence, and the honesty rank (0 is best).

    Args:
        learned: the training and validation recordings. tested: the test part's.
        kind: of the test part.
    """
    subjects = {r.subject for r in learned} & {r.subject for r in tested}
    sessions = {(r.subject, r.session) for r in learned} & {(r.subject, r.session) for r in tested}
    copies = {r.content_sha256 for r in learned} & {r.content_sha256 for r in tested}
    if copies:
        return f"{len(copies)} {tested[0].kind}s lie on both sides", 5
    if kind == "random-groups":
        return _of_groups(subjects)
    if kind == "random":
        return "random split, the same subjects and sessions on both sides", _LEAKY
    if tested[0].kind == "image" and subjects - {""}:
        return _of_images(sorted(subjects - {""}))
    if sessions:
        later = ", later repetitions" if kind == "last-repetitions" else ""
        return f"the same subject and session on both sides{later}", 3
    return ("the same subject on both sides, another session", 1) if subjects else (None, 0)


def _of_images(subjects: list[str]) -> tuple[str, int]:
    """Of one drive, one patient, one scene: the next picture is nearly the same."""
    names = ", ".join(subjects[:3]) + (", …" if len(subjects) > 3 else "")
    return f"other images of {names} on the other side, which resemble these", _LEAKY


def _of_groups(subjects: set[str]) -> tuple[str, int]:
    """What whole groups leave on both sides. Args: subjects: those that are there."""
    if subjects - {""}:
        return "random groups, the same subjects on both sides", _LEAKY
    return "random groups: no near duplicates on both sides, perhaps others of one subject", 2


def _near_leak(
    recordings: Sequence[RecordingInfo], learned: np.ndarray, tested: np.ndarray
) -> tuple[str, int] | None:
    """What is said of a part whose recordings resemble some that models learn from."""
    seen = {recordings[i].group for i in learned} - {""}
    n = sum(recordings[i].group in seen for i in tested)
    kind = recordings[0].kind
    return (LOOKS_ALIKE[0].format(n=n, kind=kind), LOOKS_ALIKE[1]) if n else None


def check_training(recordings: Sequence[RecordingInfo], training: np.ndarray) -> None:
    """Every class of the dataset is an output of the model: training must see each of them.

    Args:
        training: (n,) indices of the training part.

    Raises:
        KdEdgeError KD_CLASS_NOT_IN_TRAINING.
    """
    learned = {recordings[i].label for i in training}
    missing = sorted({recording.label for recording in recordings} - learned)
    if missing:
        raise KdEdgeError(
            "KD_CLASS_NOT_IN_TRAINING",
            f"{len(missing)} classes have recordings, but none of them in the training part",
            where=", ".join(missing[:8]),
            hint="hold out fewer repetitions, or drop these classes with dataset.classes",
        )


def _group(recording: RecordingInfo, kind: str) -> str:
    return recording.subject if kind == "leave-one-subject-out" else recording.session


def _take_held_out(recordings, left, part: HoldOut, where: str, rng) -> np.ndarray:
    if part.held_out == "later":
        return _later(recordings, left)
    known = sorted({_group(recordings[i], part.kind) for i in left})
    held_out: set[str] = set()
    for name in part.held_out:
        # A name that is there is itself, whatever characters it has.
        found = (
            [name]
            if name in known
            else [other for other in known if fnmatch.fnmatchcase(other, name)]
        )
        if not found:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                f"{where} holds out '{name}', which the recordings left for it lack"
                f"{nearest(name, known)}",
                where=f"{where}.held_out",
                hint=f"there are {', '.join(repr(k) for k in known[:12]) or 'none'}",
            )
        held_out.update(found)
    return np.array([i for i in left if _group(recordings[i], part.kind) in held_out])


def _later(recordings, left) -> np.ndarray:
    """All but each subject's first session in time."""
    first: dict[str, RecordingInfo] = {}
    for recording in (recordings[i] for i in left):
        known = first.setdefault(recording.subject, recording)
        if recording.moment < known.moment:
            first[recording.subject] = recording
    return np.array(
        [i for i in left if recordings[i].session != first[recordings[i].subject].session],
        dtype=np.int64,
    )


def _take_last(recordings, left, part: HoldOut, where: str, rng) -> np.ndarray:
    groups = defaultdict(list)
    for index in left:
        groups[recordings[index].label, recordings[index].subject].append(index)
    taken = []
    for group in groups.values():
        in_time = sorted(group, key=lambda i: recordings[i].moment)
        taken += in_time[-part.repetitions :]
    return np.array(sorted(taken), dtype=np.int64)


def _take_random(recordings, left, part: HoldOut, where: str, rng) -> np.ndarray:
    groups = defaultdict(list)
    for index in left:
        groups[recordings[index].label].append(index)
    taken = []
    for label in sorted(groups):
        count = max(1, round(part.fraction * len(groups[label])))
        taken += list(rng.choice(groups[label], size=count, replace=False))
    return np.array(sorted(taken), dtype=np.int64)


def _take_groups(recordings, left, part: HoldOut, where: str, rng) -> np.ndarray:
    """Whole groups, until each class has its share; the first of a group says its class."""
    members = defaultdict(list)
    for index in left:
        members[recordings[index].kin].append(index)
    of_label = defaultdict(list)
    for group in members.values():
        of_label[recordings[group[0]].label].append(group)
    taken = []
    for label in sorted(of_label, key=str):
        groups = of_label[label]
        wanted = max(1, round(part.fraction * sum(map(len, groups))))
        found: list[int] = []
        for at in rng.permutation(len(groups)):
            if len(found) < wanted:
                found += groups[at]
        taken += found
    return np.array(sorted(taken), dtype=np.int64)


_TAKE = {
    "leave-one-subject-out": _take_held_out,
    "leave-session-out": _take_held_out,
    "last-repetitions": _take_last,
    "random": _take_random,
    "random-groups": _take_groups,
}
