"""What a recipe says of a split: which recordings are set apart, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from kd_edge.base.settings import MisfitError, settings

_NEEDS = {
    "last-repetitions": "repetitions",
    "random": "fraction",
    "random-groups": "fraction",
}


@settings
class HoldOut:
    """Recordings set apart from training, in one of five ways.

    Attributes:
        name: of the part, in figures; its kind where empty.
        kind: 'leave-one-subject-out' and 'leave-session-out' take `held_out`, 'last-repetitions'
            takes `repetitions`, 'random' and 'random-groups' take `fraction`.
        held_out: names of subjects or sessions, or patterns of names such as '2020-07-*'. 'each'
            makes one fold for each. 'next' is for validation: whoever comes after the one that
            'each' tests. 'later' is for sessions: all but the first of each subject.
        repetitions: the last so many in time of each label and subject.
        fraction: of each class. 'random' is leaky, and named so beside its figures; 'random-groups'
            keeps copies and near duplicates together.
    """

    name: str = ""
    kind: Literal[
        *("leave-one-subject-out", "leave-session-out", "last-repetitions"),
        *("random", "random-groups"),
    ]
    held_out: tuple[str, ...] | Literal["each", "next", "later"] | None = None
    repetitions: PositiveInt | None = None
    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _has_its_key(self):
        needs = _NEEDS.get(self.kind, "held_out")
        given = {k for k in ("held_out", "repetitions", "fraction") if getattr(self, k) is not None}
        if given != {needs}:
            said = ", ".join(sorted(given - {needs})) or "nothing"
            raise ValueError(f"kind '{self.kind}' takes {needs}, not {said}")
        if self.held_out == "later" and self.kind != "leave-session-out":
            raise ValueError("'later' takes later sessions: its kind is leave-session-out")
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
        train_on_validation: models learn from the validation part too. It chooses nothing then: all
            epochs are trained, and the last one's weights are taken.
        within: 'subject' makes a fold for each subject, of that one's recordings alone.
            'everybody' makes folds of all recordings.
    """

    test: Annotated[tuple[HoldOut, ...], Field(min_length=1)]
    validation: HoldOut
    within: Literal["everybody", "subject"] = "everybody"
    # A split without it keeps the digest that it had before there was one.
    train_on_validation: Annotated[bool, Field(exclude_if=lambda given: not given)] = False

    @property
    def compared(self) -> str:
        """The test part whose figure tells folds apart: the one of 'each', else the first."""
        return next((part for part in self.test if part.held_out == "each"), self.test[0]).title

    @model_validator(mode="after")
    def _folds(self):
        if self.validation.held_out in ("each", "later"):
            raise ValueError(
                f"validation names its held_out, or 'next'; '{self.validation.held_out}' is for a "
                "test part"
            )
        if any(part.held_out == "next" for part in self.test):
            raise ValueError("'next' is for validation: it comes after the one that 'each' tests")
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
        if self.validation.held_out == "next" and (
            each is None or each.kind != self.validation.kind
        ):
            raise MisfitError(
                "validation.held_out",
                f"'next' comes after the one that a test part of kind '{self.validation.kind}' and "
                "held_out = 'each' tests; there is no such part",
            )
        if each is None:
            return
        others = [(f"test.{index}", part) for index, part in enumerate(self.test)]
        for key, part in (*others, ("validation", self.validation)):
            if part is not each and part.kind == each.kind and part.held_out != "next":
                raise MisfitError(
                    f"{key}.kind",
                    f"'{each.title}' tests each held-out name in turn, also those that this part "
                    f"holds out; choose another kind, such as last-repetitions",
                )

    @model_validator(mode="after")
    def _one_subject(self):
        if self.within == "everybody":
            return self
        parts = [(f"test.{index}", part) for index, part in enumerate(self.test)]
        for key, part in (*parts, ("validation", self.validation)):
            if part.kind == "leave-one-subject-out" or part.held_out == "each":
                raise MisfitError(
                    key,
                    "within = 'subject' already makes a fold for each subject, of that one alone; "
                    "hold out sessions or repetitions",
                )
        return self
