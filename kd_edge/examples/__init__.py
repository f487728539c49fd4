"""Examples: the fixed-shape arrays that a model takes, the truth, and what each came from."""

from kd_edge.examples.cutting import Windowing, cut_windows, used_modalities
from kd_edge.examples.folds import FoldExamples, Sensing, fold_examples
from kd_edge.examples.normalising import fit_front_end, normalise, wear
from kd_edge.examples.orders import in_order
from kd_edge.examples.sets import Examples, Groups, join, spread_evenly
from kd_edge.examples.wearing import as_worn, from_other_starts, worn_in_other_orders

__all__ = [
    "Examples",
    "FoldExamples",
    "Groups",
    "Sensing",
    "Windowing",
    "as_worn",
    "cut_windows",
    "fit_front_end",
    "fold_examples",
    "from_other_starts",
    "in_order",
    "join",
    "normalise",
    "spread_evenly",
    "used_modalities",
    "wear",
    "worn_in_other_orders",
]
