"""The examples of one fold: its parts, normalised by what it trains on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kd_edge.examples.normalising import Normaliser, fit_normaliser
from kd_edge.examples.sets import Examples
from kd_edge.splits import Fold, SplitPart


@dataclass(frozen=True, eq=False)
class FoldExamples:
    """One fold's examples, normalised by its training part.

    Attributes:
        training, validation: of these parts.
        tests: part name -> examples, the most honest part first.
        normaliser: fitted on the training part.
    """

    training: Examples
    validation: Examples
    tests: dict[str, Examples]
    normaliser: Normaliser


def fold_examples(
    examples: Examples, fold: Fold, normalised: Mapping[str, np.ndarray] | None = None
) -> FoldExamples:
    """Deal examples out to a fold's parts, and normalise them by the training part.

    Args:
        examples: of the recordings that the fold was made of, in their order.
        normalised: input -> (channels,) bool, as `normalised_channels` gives it; None normalises
            every channel.
    """

    def of(part: SplitPart) -> Examples:
        return examples.take(np.flatnonzero(np.isin(examples.groups.recording, part.indices)))

    training = of(fold.train)
    normaliser = fit_normaliser(training, normalised)
    return FoldExamples(
        training=normaliser.apply(training),
        validation=normaliser.apply(of(fold.validation)),
        tests={part.name: normaliser.apply(of(part)) for part in fold.tests},
        normaliser=normaliser,
    )
