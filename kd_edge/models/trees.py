"""Extremely randomised trees as a network: a teacher for students that are small."""

from __future__ import annotations

import keras
import numpy as np

from kd_edge.base.errors import require
from kd_edge.models.embedding import LOGITS
from kd_edge.models.inputs import check_option
from kd_edge.models.layers import TreeShares
from kd_edge.models.vectors import classes_of, statistics_or_embedding


def extra_trees(
    input_shapes,
    n_classes,
    *,
    body: keras.Model | None = None,
    segments: int | None = None,
    statistics: tuple[str, ...] | None = None,
    trees: int = 100,
    leaves: int = 1024,
    depth: int = 16,
    leaf_windows: int = 3,
) -> keras.Model:
    """Trees that split at random thresholds; `fit_extra_trees` grows them.

    P. Geurts, D. Ernst, L. Wehenkel, "Extremely randomized trees", Machine Learning 63, 2006.

    Args: `body`, `segments`, `statistics` as `linear.lda`.
        trees: how many; their answers are averaged.
        leaves, depth: the most of one tree.
        leaf_windows: the fewest training windows of a leaf.
    """
    check_option("trees", trees, 1)
    check_option("leaves", leaves, 2)
    check_option("depth", depth, 1)
    check_option("leaf_windows", leaf_windows, 1)
    inputs, vector = statistics_or_embedding(input_shapes, body, segments, statistics)
    shares = TreeShares(trees, 2 * leaves - 1, depth, n_classes, name=LOGITS)
    return keras.Model(inputs, shares(vector), name="extra-trees")


def fit_extra_trees(
    network,
    vectors: np.ndarray,
    truth: np.ndarray,
    *,
    seed: int,
    leaf_windows: int = 3,
    **_,
) -> None:
    """Grow the trees, as scikit-learn does.

    Args:
        vectors: (n, features), as `embedding_of(network)` gives them.
        truth: (n,) classes.

    Raises:
        KdEdgeError KD_ONE_CLASS: fewer than two classes. KD_MISSING_PACKAGE: no scikit-learn.
    """
    present = classes_of(truth)
    require("sklearn", extra="build", purpose="extremely randomised trees")
    from sklearn.ensemble import ExtraTreesClassifier

    last = network.get_layer(LOGITS)
    grown = ExtraTreesClassifier(
        last.trees,
        max_leaf_nodes=(last.nodes + 1) // 2,
        max_depth=last.depth,
        min_samples_leaf=leaf_windows,
        random_state=seed,
        n_jobs=-1,
    ).fit(vectors, truth)
    tables = [_nodes_of(each.tree_, last, present, at) for at, each in enumerate(grown.estimators_)]
    last.set_weights([np.concatenate(column) for column in zip(*tables, strict=True)])


def _nodes_of(tree, last: TreeShares, present: np.ndarray, at: int) -> tuple[np.ndarray, ...]:
    """(feature, follows, threshold, shares) of one tree's nodes, filled up to `last.nodes`.

    Args:
        at: the tree's place; nodes are numbered on from tree to tree.
    """
    n, first = tree.node_count, at * last.nodes
    here = np.arange(first, first + last.nodes, dtype=np.int32)
    feature = np.zeros(last.nodes, np.int32)
    follows = np.stack([here, here], axis=1)
    threshold = np.zeros(last.nodes, np.float32)
    shares = np.zeros((last.nodes, last.classes), np.float32)
    asks = np.flatnonzero(tree.children_left >= 0)
    feature[asks] = tree.feature[asks]
    follows[asks, 0] = first + tree.children_left[asks]
    follows[asks, 1] = first + tree.children_right[asks]
    threshold[asks] = _rounded_down(tree.threshold[asks])
    counted = tree.value[:, 0, :]
    shares[:n, present] = counted / counted.sum(axis=1, keepdims=True)
    return feature, follows, threshold, shares


def _rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 that is not above each: a float32 feature is above both or neither."""
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)
