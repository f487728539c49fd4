"""Windows: the fixed-shape arrays that a model takes, with what each came from."""

from kd_edge.windows.cutting import cut_windows, used_modalities
from kd_edge.windows.normalising import (
    Normaliser,
    fit_normaliser,
    front_end_constants,
    normalised_channels,
)
from kd_edge.windows.sets import WindowSet, spread_evenly

__all__ = [
    "Normaliser",
    "WindowSet",
    "cut_windows",
    "fit_normaliser",
    "front_end_constants",
    "normalised_channels",
    "spread_evenly",
    "used_modalities",
]
