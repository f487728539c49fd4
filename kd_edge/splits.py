"""Splits: which recordings train, validate and test, and what leaks between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.settings import MisfitError, settings
from kd_edge.signals.recording import RecordingInfo

# The honesty rank from which figures flatter.
_LEAKY = 4


@settings
class HoldOut:
    """Recordings set apart from training, in one of four ways.

    Attributes:
        name: of the part, in figures; its kind where empty.
        kind: 'leave-one-subject-out' and 'leave-session-out' take `held_out`, 'last-repetitions'
            takes `repetitions`, 'random' takes `fraction`.
        held_out: names of subjects or sessions; 'each' makes one fold for each.
        repetitions: the last so many in time of each label and subject.
        fraction: of each class, at random: leaky, and named so beside its figures.
    """

    name: str = ""
    kind: Literal["leave-one-subject-out", "leave-session-out", "last-repetitions", "random"]
    held_out: tuple[str, ...] | Literal["each"] | None = None
    repetitions: PositiveInt | None = None
    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _has_its_key(self):
        needs = {"last-repetitions": "repetitions", "random": "fraction"}.get(self.kind, "held_out")
        given = {k for k in ("held_out", "repetitions", "fraction") if getattr(self, k) is not None}
        if given != {needs}:
            said = ", ".join(sorted(given - {needs})) or "nothing"
            raise ValueError(f"kind '{self.kind}' takes {needs}, not {said}")
        return self

    @property
    def title(self) -> str:
        """The part's name in figures."""
        return self.name or self.kind


@settings
class Split:
    """Test parts, taken in this order from all recordings; validation next; the rest trains.

    Attributes:
        test: one part or more.
        validation: chooses the best epoch; never tested on.
    """

    test: Annotated[tuple[HoldOut, ...], Field(min_length=1)]
    validation: HoldOut

    @model_validator(mode="after")
    def _folds(self):
        if self.validation.held_out == "each":
            raise ValueError("validation names its held_out; 'each' is for one test part")
        if sum(part.held_out == "each" for part in self.test) > 1:
            raise ValueError("only one test part may hold out 'each'")
        self._check_each()
        titles = [part.title for part in self.test]
        for title in {"training", "validation", "parity windows"} & set(titles):
            raise ValueError(f"a test part may not be called '{title}': the report uses that name")
        if len(set(titles)) < len(titles):
            raise ValueError(f"test parts need different names; these are {titles}")
        return self

    def _check_each(self) -> None:
        """A fold for each name tests every name once: no other part can keep one of them."""
        each = next((part for part in self.test if part.held_out == "each"), None)
        if each is None:
            return
        others = [(f"test.{index}", part) for index, part in enumerate(self.test)]
        for key, part in (*others, ("validation", self.validation)):
            if part is not each and part.kind == each.kind:
                raise MisfitError(
                    f"{key}.kind",
                    f"'{each.title}' tests each held-out name in turn, also those that this part "
                    f"holds out; choose another kind, such as last-repetitions",
                )


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
        held_out: the subject or session that this fold tests, where there is a fold for each.
    """

    name: str
    train: SplitPart
    validation: SplitPart
    tests: tuple[SplitPart, ...]
    held_out: str | None = None

    @property
    def parts(self) -> tuple[SplitPart, ...]:
        return (self.train, self.validation, *self.tests)


def make_folds(recordings: Sequence[RecordingInfo], split: Split, *, seed: int) -> tuple[Fold, ...]:
    """The folds that a split makes of a dataset: one, or one for each held-out name.

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
    each = next((part for part in split.test if part.held_out == "each"), None)
    if each is None:
        return (_make_fold("all", recordings, split, seed),)
    names = sorted({_group(recording, each.kind) for recording in recordings})
    return tuple(
        replace(
            _make_fold(f"without {name}", recordings, _holding_out(split, each, name), seed),
            held_out=name,
        )
        for name in names
    )


def check_duplicates(recordings: Sequence[RecordingInfo], folds: Sequence[Fold]) -> None:
    """Stop where identical recordings lie on both sides of a split or under two subjects.

    Raises:
        KdEdgeError KD_DUPLICATES: with their names.
    """
    copies = defaultdict(list)
    for index, recording in enumerate(recordings):
        copies[recording.content_sha256].append(index)
    for group in copies.values():
        if len(group) < 2:
            continue
        reason = _why_it_matters([recordings[i] for i in group], group, folds)
        if reason:
            raise KdEdgeError(
                "KD_DUPLICATES",
                f"{len(group)} {recordings[0].kind}s hold the same samples and {reason}",
                where="; ".join(recordings[i].name for i in group[:6]),
                hint="remove the copies, or set dataset.allow_duplicates = true and say so",
            )


def _why_it_matters(
    group: Sequence[RecordingInfo], indices: Sequence[int], folds: Sequence[Fold]
) -> str | None:
    if len({recording.subject for recording in group}) > 1:
        return "stand under different subjects"
    for fold in folds:
        sides = {part.name for part in fold.parts if np.isin(indices, part.indices).any()}
        if len(sides) > 1:
            return f"lie on both sides of a split: {', '.join(sorted(sides))}"
    return None


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


def _holding_out(split: Split, each: HoldOut, name: str) -> Split:
    tests = tuple(replace(part, held_out=(name,)) if part is each else part for part in split.test)
    return replace(split, test=tests)


def _make_fold(name: str, recordings: Sequence[RecordingInfo], split: Split, seed: int) -> Fold:
    rng = np.random.default_rng(seed)
    left = np.arange(len(recordings))
    taken = []
    for index, part in enumerate((*split.test, split.validation)):
        where = "split.validation" if part is split.validation else f"split.test.{index}"
        indices = _TAKE[part.kind](recordings, left, part, where, rng)
        if not len(indices):
            raise KdEdgeError(
                "KD_EMPTY_PART",
                f"{where} ({part.title}) holds no {recordings[0].kind}: the parts before it left "
                f"{len(left)} of {len(recordings)}",
                where=where,
                hint="`kd-edge data inspect` shows subjects, sessions and repetitions",
            )
        taken.append(indices)
        left = np.setdiff1d(left, indices)
    *tests, validation = taken
    _check_training(recordings, left)
    learned = np.concatenate([left, validation])
    parts = [
        _test_part(part, recordings, learned, indices)
        for part, indices in zip(split.test, tests, strict=True)
    ]
    return Fold(
        name=name,
        train=SplitPart("training", "train", "train", left, None, 0),
        validation=SplitPart(
            "validation", "validation", split.validation.kind, validation, None, 0
        ),
        tests=tuple(sorted(parts, key=lambda part: part.honesty)),
    )


def _test_part(
    part: HoldOut, recordings: Sequence[RecordingInfo], learned: np.ndarray, indices: np.ndarray
) -> SplitPart:
    leak, honesty = describe_leak(
        [recordings[i] for i in learned], [recordings[i] for i in indices], part.kind
    )
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
    if kind == "random":
        return "random split, the same subjects and sessions on both sides", _LEAKY
    if sessions:
        later = ", later repetitions" if kind == "last-repetitions" else ""
        return f"the same subject and session on both sides{later}", 3
    if subjects:
        return "the same subject on both sides, another session", 1
    return None, 0


def _check_training(recordings: Sequence[RecordingInfo], training: np.ndarray) -> None:
    """Every class of the dataset is an output of the model: training must see each of them."""
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
    known = sorted({_group(recordings[i], part.kind) for i in left})
    for name in part.held_out:
        if name not in known:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                f"{where} holds out '{name}', which the recordings left for it lack"
                f"{nearest(name, known)}",
                where=f"{where}.held_out",
                hint=f"there are {', '.join(repr(k) for k in known[:12]) or 'none'}",
            )
    return np.array([i for i in left if _group(recordings[i], part.kind) in part.held_out])


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


_TAKE = {
    "leave-one-subject-out": _take_held_out,
    "leave-session-out": _take_held_out,
    "last-repetitions": _take_last,
    "random": _take_random,
}
