"""Examples: the fixed-shape arrays that a model takes, the truth, and what each came from."""

from kd_edge.examples.cutting import Windowing, cut_windows, used_modalities
from kd_edge.examples.folds import FoldExamples, fold_examples
from kd_edge.examples.normalising import (
    Normaliser,
    fit_normaliser,
    front_end_constants,
    normalised_channels,
)
from kd_edge.examples.sets import Examples, Groups, spread_evenly

__all__ = [
    "Examples",
    "FoldExamples",
    "Groups",
    "Normaliser",
    "Windowing",
    "cut_windows",
    "fit_normaliser",
    "fold_examples",
    "front_end_constants",
    "normalised_channels",
    "spread_evenly",
    "used_modalities",
]
