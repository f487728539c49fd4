"""The examples of one fold: its parts, as its training part normalises them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kd_edge.base.front_end import FrontEndConstants, StreamConstants
from kd_edge.examples.cutting import Windowing
from kd_edge.examples.normalising import fit_front_end
from kd_edge.examples.orders import OTHER_ORDERS
from kd_edge.examples.sets import Examples
from kd_edge.examples.wearing import as_worn, from_other_starts, worn_in_other_orders
from kd_edge.frontend import StreamFrontEnd
from kd_edge.signals.recording import RecordingInfo
from kd_edge.splits import Fold, SplitPart


@dataclass(frozen=True, eq=False)
class Sensing:
    """How windows came from sensors.

    Attributes:
        designs: as `cut_windows` gives them.
        front_end: modality -> its settings.
        windowing: how recordings were cut.
        recordings: that were cut, in their order.
    """

    designs: Sequence[StreamConstants]
    front_end: Mapping[str, StreamFrontEnd]
    windowing: Windowing
    recordings: Sequence[RecordingInfo]

    @property
    def learns(self) -> bool:
        """Whether the front end follows the wearer."""
        own = [self.front_end[design.name] for design in self.designs]
        return any(settings.adapt or settings.roll for settings in own)


@dataclass(frozen=True, eq=False)
class FoldExamples:
    """One fold's examples, normalised by its training part.

    A part is made when it is first asked for: a model in training takes lessons and validation, a
    trained one the tests.

    Attributes:
        plain: the fold as the split made it.
        front_end: fitted on the training part; None for images.
        examples, sensing, seed: as `fold_examples` takes them.
    """

    plain: Fold
    front_end: FrontEndConstants | None
    examples: Examples
    sensing: Sensing | None
    seed: int

    @cached_property
    def fold(self) -> Fold:
        """With a test part for each further order in which a wearer's windows are shown."""
        others = (
            replace(part, name=f"{part.name}, {order}")
            for part in self.plain.tests
            for order in self._other_orders
        )
        return replace(self.plain, tests=(*self.plain.tests, *others))

    def of(self, part: SplitPart) -> Examples:
        """The examples of one of the fold's parts."""
        if part.role == "train":
            return self.training
        return self.tests.get(part.name, self.validation)

    @cached_property
    def training(self) -> Examples:
        """The training part, each person's windows in their order."""
        return self.lessons if self._starts == 1 else self._worn(self.plain.train)

    @cached_property
    def lessons(self) -> Examples:
        """The training part as models learn from it, `training` first.

        Where a running normaliser learns, windows come from several starts.
        """
        cut = self._cut(self.plain.train)
        if self.front_end is None:
            return cut
        recordings = self.sensing.recordings
        return from_other_starts(
            cut, self.front_end, recordings, starts=self._starts, seed=self.seed
        )

    @property
    def n_lessons(self) -> int:
        """How many lessons there are, without making them."""
        return self._starts * len(_owned(self.examples, self.plain.train))

    @property
    def n_validation(self) -> int:
        """How many examples the validation part has, without making it."""
        return len(_owned(self.examples, self.plain.validation))

    @cached_property
    def validation(self) -> Examples:
        """The validation part, each person's windows in their order."""
        return self._worn(self.plain.validation)

    @property
    def watched(self) -> Examples | None:
        """What chooses a model's epoch: validation; None where models learn from that too."""
        return self.validation if self.plain.validates else None

    @cached_property
    def tests(self) -> dict[str, Examples]:
        """Part name -> examples, the most honest part first; then the parts in further orders."""
        tests = {part.name: self._worn(part) for part in self.plain.tests}
        recordings = self.sensing.recordings if self.sensing else ()
        for part in self.plain.tests:
            cut = self._cut(part)
            others = worn_in_other_orders(cut, self.front_end, recordings, seed=self.seed)
            tests |= {f"{part.name}, {order}": shown for order, shown in others.items()}
        return tests

    @property
    def _other_orders(self) -> Sequence[str]:
        return OTHER_ORDERS if self.front_end is not None and self.front_end.learns else ()

    @property
    def _starts(self) -> int:
        """How often each training window is a lesson."""
        if self.front_end is None:
            return 1
        adapting = [self.sensing.front_end[s.name].adapt for s in self.front_end.streams]
        return max((adapt.starts for adapt in adapting if adapt), default=1)

    def _cut(self, part: SplitPart) -> Examples:
        return self.examples.take(_owned(self.examples, part))

    def _worn(self, part: SplitPart) -> Examples:
        recordings = self.sensing.recordings if self.sensing else ()
        return as_worn(self._cut(part), self.front_end, recordings)


def fold_examples(
    examples: Examples, fold: Fold, sensing: Sensing | None = None, *, seed: int = 0
) -> FoldExamples:
    """Deal examples out to a fold's parts, and normalise them by the training part.

    A running normaliser sees each person's windows in their order. Since it could learn the order
    of a protocol in place of the wearer, each test part comes in further orders as well.

    Args:
        examples: of the recordings that the fold was made of, in their order.
        sensing: where they came from; None for images, which stay as they are.
        seed: of the moments at which training puts the sensors on, and of shuffled orders.
    """
    front_end = None
    if sensing is not None:
        front_end = fit_front_end(
            examples.take(_owned(examples, fold.train)),
            sensing.designs,
            sensing.front_end,
            sensing.windowing,
            sensing.recordings,
        )
    return FoldExamples(fold, front_end, examples, sensing, seed)


def _owned(examples: Examples, part: SplitPart) -> np.ndarray:
    """(n,) indices of the examples of a part's recordings."""
    return np.flatnonzero(np.isin(examples.groups.recording, part.indices))
