"""Choosing calibration windows: counts by class and subject."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_edge.base.errors import KdEdgeError
from kd_edge.convert.calibration import choose


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=80),
    n=st.integers(1, 100),
    seed=st.integers(0, 9),
)
def test_classes_are_balanced_as_far_as_they_reach(labels, n, seed):
    """Oracle: counting. A class lags another by more than one only where it is spent."""
    labels = np.array(labels)
    subjects = np.array(["A", "B"])[np.arange(len(labels)) % 2]
    chosen = choose(labels, subjects, n, seed)
    assert len(chosen) == len(set(chosen)) == min(n, len(labels))
    taken, there = Counter(labels[chosen]), Counter(labels)
    most = max(taken.values())
    assert all(taken[label] >= most - 1 or taken[label] == there[label] for label in there)


def test_subjects_are_balanced_within_a_class():
    """Oracle: counting; subject A has nine times the windows of B."""
    labels = np.repeat([0, 1], 100)
    subjects = np.tile(np.repeat(["A", "B"], [90, 10]), 2)
    chosen = choose(labels, subjects, 40, seed=1)
    assert Counter(zip(labels[chosen], subjects[chosen], strict=True)) == {
        (0, "A"): 10,
        (0, "B"): 10,
        (1, "A"): 10,
        (1, "B"): 10,
    }


def test_the_seed_alone_decides_and_indices_rise():
    """Oracle: the same call twice, and another seed."""
    labels, subjects = np.arange(60) % 3, np.full(60, "A")
    first = choose(labels, subjects, 12, seed=5)
    assert np.array_equal(first, choose(labels, subjects, 12, seed=5))
    assert not np.array_equal(first, choose(labels, subjects, 12, seed=6))
    assert (np.diff(first) > 0).all()
    assert first.dtype == np.int64


@pytest.mark.parametrize(("windows", "n"), [(0, 5), (5, 0)])
def test_nothing_to_calibrate_on_is_an_error(windows, n):
    """Oracle: the docstring's KD_EMPTY_PART."""
    with pytest.raises(KdEdgeError) as caught:
        choose(np.zeros(windows, np.int64), np.full(windows, "A"), n, seed=0)
    assert caught.value.code == "KD_EMPTY_PART"
