"""The examples of one fold: its parts, as its training part normalises them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kd_edge.base.front_end import FrontEndConstants, StreamConstants
from kd_edge.examples.cutting import Windowing
from kd_edge.examples.normalising import fit_front_end
from kd_edge.examples.orders import other_orders
from kd_edge.examples.sets import Examples
from kd_edge.examples.wearing import as_worn, from_other_starts, worn
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

    Attributes:
        fold: with a test part for each further order in which a wearer's windows are shown.
        training, validation: of these parts.
        lessons: the training part as models learn from it: where a running normaliser learns, from
            several starts.
        tests: part name -> examples, the most honest part first.
        front_end: fitted on the training part; None for images.
    """

    fold: Fold
    training: Examples
    lessons: Examples
    validation: Examples
    tests: dict[str, Examples]
    front_end: FrontEndConstants | None

    def of(self, part: SplitPart) -> Examples:
        """The examples of one of the fold's parts."""
        if part.role == "train":
            return self.training
        return self.tests.get(part.name, self.validation)


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

    def of(part: SplitPart) -> Examples:
        return examples.take(np.flatnonzero(np.isin(examples.groups.recording, part.indices)))

    cut = of(fold.train)
    if sensing is None:
        tests = {part.name: of(part) for part in fold.tests}
        return FoldExamples(fold, cut, cut, of(fold.validation), tests, None)
    recordings = sensing.recordings
    constants = fit_front_end(
        cut, sensing.designs, sensing.front_end, sensing.windowing, recordings
    )
    adapting = [sensing.front_end[s.name].adapt for s in constants.streams if s.running]
    starts = max((adapt.starts for adapt in adapting), default=1)
    lessons = from_other_starts(cut, constants, recordings, starts=starts, seed=seed)
    tests = {part.name: as_worn(of(part), constants, recordings) for part in fold.tests}
    parts = list(fold.tests)
    for part in fold.tests if constants.learns else ():
        for name, orders in other_orders(of(part), recordings, seed).items():
            parts.append(replace(part, name=f"{part.name}, {name}"))
            tests[parts[-1].name] = worn(of(part), constants, orders)
    return FoldExamples(
        fold=replace(fold, tests=tuple(parts)),
        training=lessons.take(np.arange(len(cut))) if len(lessons) > len(cut) else lessons,
        lessons=lessons,
        validation=as_worn(of(fold.validation), constants, recordings),
        tests=tests,
        front_end=constants,
    )
