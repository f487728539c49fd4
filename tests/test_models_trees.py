"""Trees as a network. Oracle: scikit-learn's extremely randomised trees on the same vectors."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from test_models_linear import N_CLASSES, answers, build, embed, fitted, windows

from kd_edge.base.errors import KdEdgeError
from kd_edge.models.keras_start import load_keras
from kd_edge.models.layers import LEAST_SHARE

pytest.importorskip("keras")

FEW = {"trees": 7, "leaves": 20, "depth": 6, "leaf_windows": 2}


def oracle(network, inputs, truth, seed=0):
    trees = ExtraTreesClassifier(
        7, max_leaf_nodes=20, max_depth=6, min_samples_leaf=2, random_state=seed
    )
    return trees.fit(embed(network, inputs), truth)


def shares(logits):
    odds = np.exp(logits.astype(float))
    return odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("options", [{}, {"statistics": ["mean", "deviation"], "segments": 1}])
def test_trees_have_scikit_learns_probabilities(options):
    inputs, truth = windows()
    others, _ = windows(seed=5)
    network = fitted("extra-trees", inputs, truth, **FEW, **options)
    expected = oracle(network, inputs, truth).predict_proba(embed(network, others))
    found = shares(answers(network, others))
    np.testing.assert_allclose(found, expected, atol=(N_CLASSES + 1) * LEAST_SHARE)
    assert len(np.unique(found.round(4), axis=0)) > 50  # other windows, other leaves


def test_a_window_on_a_threshold_goes_where_scikit_learn_sends_it():
    """Vectors of few values: thresholds in float64 lie between float32 neighbours."""
    inputs, truth = windows()
    network = fitted("extra-trees", inputs, truth, **FEW)
    last, vectors = network.layers[-1], embed(network, inputs)
    feature, threshold = (np.asarray(getattr(last, name)) for name in ("feature", "threshold"))
    asked = np.flatnonzero(np.asarray(last.follows)[:, 0] != np.arange(len(feature)))
    on_it = np.repeat(vectors[:1], len(asked), axis=0)
    on_it[np.arange(len(asked)), feature[asked]] = threshold[asked]
    expected = oracle(network, inputs, truth).predict_proba(on_it)
    np.testing.assert_allclose(shares(np.asarray(last(on_it))), expected, atol=6e-4)


def test_the_seed_grows_the_trees():
    inputs, truth = windows()
    network = fitted("extra-trees", inputs, truth, **FEW)
    again = fitted("extra-trees", inputs, truth, **FEW)
    np.testing.assert_array_equal(answers(network, inputs), answers(again, inputs))
    other = oracle(network, inputs, truth, seed=1).predict_proba(embed(network, inputs))
    assert np.abs(shares(answers(network, inputs)) - other).max() > 0.05


def test_a_file_keeps_the_trees(tmp_path):
    inputs, truth = windows()
    network = fitted("extra-trees", inputs, truth, **FEW)
    network.save(tmp_path / "trees.keras")
    read = load_keras(tmp_path / "trees.keras")
    np.testing.assert_array_equal(answers(read, inputs), answers(network, inputs))


@pytest.mark.parametrize("option", ["trees", "leaves", "depth", "leaf_windows"])
def test_options_out_of_range_are_refused(option):
    with pytest.raises(KdEdgeError, match=option) as caught:
        build("extra-trees", **{option: 0})
    assert caught.value.code == "KD_RECIPE_VALUE"
