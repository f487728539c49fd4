"""Splits: which recordings train, validate and test, and what leaks between them."""

from kd_edge.splits.duplicates import check_duplicates
from kd_edge.splits.folds import (
    LOOKS_ALIKE,
    Fold,
    SplitPart,
    check_training,
    describe_leak,
    make_folds,
)
from kd_edge.splits.settings import HoldOut, Split

__all__ = [
    "LOOKS_ALIKE",
    "Fold",
    "HoldOut",
    "Split",
    "SplitPart",
    "check_duplicates",
    "check_training",
    "describe_leak",
    "make_folds",
]
