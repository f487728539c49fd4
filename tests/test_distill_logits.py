"""Telling logits from probabilities. Oracle: none negative, and rows that sum to one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.logits import require_logits

LOGITS = np.random.default_rng(0).normal(0, 2, (9, 5))


@pytest.mark.parametrize(
    "values",
    [
        softmax(LOGITS, axis=1),
        softmax(LOGITS, axis=1).astype(np.float16),
        np.eye(5),
        np.ones((1, 1)),
    ],
    ids=["softmax", "in half precision", "certain answers", "one class"],
)
def test_probabilities_are_refused(values):
    with pytest.raises(KdEdgeError, match="the sums are probabilities") as caught:
        require_logits(values, "the sums")
    assert caught.value.code == "KD_NOT_LOGITS"
    assert caught.value.where.startswith(f"{len(values)} rows")


@pytest.mark.parametrize(
    "values",
    [
        LOGITS,
        np.abs(LOGITS) + 0.5,
        LOGITS - LOGITS.mean(axis=1, keepdims=True) + 0.2,
        np.array([[0.25, 0.75], [0.25, 0.5]]),
        np.log(softmax(LOGITS, axis=1)),
        np.zeros((0, 5)),
        softmax(LOGITS[0]),
        np.array([[-0.5, 1.5], [0.5, 0.5]]),
    ],
    ids=[
        *("logits", "none negative", "rows that sum to one", "one row that does not"),
        *("logarithms", "no rows", "one dimension", "one negative number"),
    ],
)
def test_everything_else_is_taken(values):
    require_logits(values, "the outputs")


@pytest.mark.parametrize("axis", [1, 2])
def test_a_softmax_over_rows_or_columns_of_an_image_is_refused(axis):
    """The mistake of a published student: it compares places, and learns no class."""
    maps = np.random.default_rng(1).normal(0, 2, (4, 6, 8, 3))
    with pytest.raises(KdEdgeError, match=f"probabilities over axis {axis}") as caught:
        require_logits(softmax(maps, axis=axis), "the teacher's outputs")
    assert caught.value.code == "KD_NOT_LOGITS"
    require_logits(maps, "the teacher's outputs")
