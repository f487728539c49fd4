"""A last layer for one wearer, from a few labelled repetitions."""

from kd_edge.personalise.judging import Judged, judge
from kd_edge.personalise.layer import as_head, scores_of
from kd_edge.personalise.prototypes import (
    MOST_FEATURES,
    Few,
    FloatHead,
    Prototypes,
    fit_prototypes,
    learn,
)

__all__ = [
    "MOST_FEATURES",
    "Few",
    "FloatHead",
    "Judged",
    "Prototypes",
    "as_head",
    "fit_prototypes",
    "judge",
    "learn",
    "scores_of",
]
