"""The most honest split that the recordings allow: people, then days, then repetitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kd_edge.base.errors import KdEdgeError
from kd_edge.pipeline.proposing.seen import Seen
from kd_edge.pipeline.proposing.text import Block, Line
from kd_edge.signals.recording import RecordingInfo
from kd_edge.splits import HoldOut, Split, make_folds


@dataclass(frozen=True)
class Honest:
    """A split that the recordings allow.

    Attributes:
        name: of the test part.
        test, validation: keys of the hold-outs.
        why: of the test part and of the validation part.
        quick: what [quick.split] lays over it: a fold alone in place of one for each name.
        several: whether its figure is of people or days that training did not meet.
        refused: what more honest splits lack, in words.
    """

    name: str
    test: dict[str, object]
    validation: dict[str, object]
    why: tuple[str, str]
    several: bool
    refused: tuple[str, ...] = ()

    def blocks(self) -> list[Block]:
        """The tables [[split.test]] and [split.validation]."""
        test_why, validation_why = self.why
        refused = "".join(f" {reason}" for reason in self.refused)
        test = [Line(key, value, _KEYS[key]) for key, value in self.test.items()]
        validation = [Line(key, value, _KEYS[key]) for key, value in self.validation.items()]
        name = Line("name", self.name, "How figures call it.")
        return [
            Block("[[split.test]]", (name, *test), test_why + refused),
            Block("[split.validation]", tuple(validation), validation_why),
        ]

    def split(self) -> Split:
        """The split itself."""
        return Split(
            test=(HoldOut(name=self.name, **self.test),), validation=HoldOut(**self.validation)
        )


_KEYS = {
    "kind": "What lies on one side only.",
    "held_out": "'each' tests each in turn, 'next' is the one after it; names are their own.",
    "repetitions": "So many of each sign, the last in time.",
    "fraction": "This share of each sign.",
}


def choose_split(seen: Seen, infos: Sequence[RecordingInfo]) -> Honest:
    """The first split, from the most honest on, of which every fold can be trained and tested.

    Raises:
        KdEdgeError KD_EMPTY_PART: none can: there are too few recordings.
    """
    refused: list[str] = []
    for candidate in _candidates(seen):
        try:
            make_folds(infos, candidate.split(), seed=1)
        except KdEdgeError as error:
            refused.append(f"Not '{candidate.name}': {error.message}.")
            continue
        return Honest(
            candidate.name,
            candidate.test,
            candidate.validation,
            candidate.why,
            candidate.several,
            tuple(refused[:2]),
        )
    raise KdEdgeError(
        "KD_EMPTY_PART",
        "there are too few recordings to train, validate and test",
        where=f"{seen.n_recordings} recordings of {len(seen.labels)} labels; {seen.repetitions} of "
        "the one that has fewest",
        hint="record each sign three times or more",
    )


def _candidates(seen: Seen) -> Iterator[Honest]:
    people, days = list(seen.subjects), list(seen.sessions)
    last = {"kind": "last-repetitions", "repetitions": max(1, seen.repetitions // 5)}
    chosen = "Chooses the best epoch; never tested on."
    if len(people) > 1:
        other = {"kind": "leave-one-subject-out", "held_out": "each"}
        why = f"{len(people)} people: each in turn is somebody whom training never saw."
        following = {"kind": "leave-one-subject-out", "held_out": "next"}
        yield Honest(
            "unseen person", other, following, (why, f"The person after that one. {chosen}"), True
        )
        yield Honest("unseen person", other, last, (why, f"The last of each sign. {chosen}"), True)
    if len(days) > 1:
        newest = {"kind": "leave-session-out", "held_out": [days[-1]]}
        why = f"{len(days)} sessions: the last by name is a day that training never saw."
        yield Honest("another day", newest, last, (why, f"The last of each sign. {chosen}"), True)
    why = "The last repetitions of each sign: the same people on the same days, which flatters."
    yield Honest("last repetitions", last, last, (why, f"Those before them. {chosen}"), False)
    share = {"kind": "random", "fraction": 0.2}
    why = "A random fifth, which leaks: record people or days apart for an honest figure."
    yield Honest("random", share, share, (why, chosen), False)
