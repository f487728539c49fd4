"""Models of one Dense layer over a vector: linear discriminant analysis, and prototypes.

The vector is statistics of the window, or the embedding of a model that was trained before.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from kd_edge.base.errors import require
from kd_edge.models.embedding import LOGITS
from kd_edge.models.inputs import check_choice, check_option
from kd_edge.models.statistics import standardise
from kd_edge.models.vectors import classes_of, statistics_or_embedding

PRIORS = ("training", "equal")
DISTANCES = ("euclidean", "cosine")


def lda(
    input_shapes,
    n_classes,
    *,
    body: keras.Model | None = None,
    segments: int | None = None,
    statistics: tuple[str, ...] | None = None,
    shrinkage: float | str = "auto",
    priors: str = "training",
) -> keras.Model:
    """Linear discriminant analysis as one Dense layer; `fit_lda` gives it its weights.

    Args:
        body: a trained model whose embedding is classified; None: statistics of the window.
        segments: parts of the window whose statistics are taken apart; 4 where None.
        statistics: keys of `STATISTICS`; all where None.
        shrinkage: of the covariance, 0 to 1; 'auto' by Ledoit and Wolf.
        priors: 'training': the shares of classes in the training part; or 'equal'.
    """
    check_choice("priors", priors, PRIORS)
    if shrinkage != "auto":
        check_option("shrinkage", shrinkage, 0.0, 1.0)
    inputs, vector = statistics_or_embedding(input_shapes, body, segments, statistics)
    return keras.Model(inputs, layers.Dense(n_classes, name=LOGITS)(vector), name="lda")


def prototype(
    input_shapes,
    n_classes,
    *,
    body: keras.Model | None = None,
    segments: int | None = None,
    statistics: tuple[str, ...] | None = None,
    distance: str = "euclidean",
) -> keras.Model:
    """The nearest class mean, its prototype (J. Snell et al., "Prototypical Networks", NeurIPS
    2017), as one Dense layer; `fit_prototypes` gives it its weights.

    Args: `body`, `segments`, `statistics` as `lda`.
        distance: 'euclidean', or 'cosine' of the angle at the origin.
    """
    check_choice("distance", distance, DISTANCES)
    inputs, vector = statistics_or_embedding(input_shapes, body, segments, statistics)
    return keras.Model(inputs, layers.Dense(n_classes, name=LOGITS)(vector), name="prototype")


def fit_lda(
    network, vectors: np.ndarray, truth: np.ndarray, *, shrinkage="auto", priors="training", **_
) -> None:
    """Weights of linear discriminant analysis.

    A class that the training part lacks gets a score that no other class falls below there.

    Args:
        vectors: (n, features), as `embedding_of(network)` gives them before it is fitted.
        truth: (n,) classes.

    Raises:
        KdEdgeError KD_ONE_CLASS: fewer than two classes.
    """
    vectors = standardise(network, vectors)
    present = classes_of(truth)
    equal = [1 / len(present)] * len(present)
    found = shrunk_lda(shrinkage=shrinkage, priors=equal if priors == "equal" else None)
    found.fit(vectors, truth)
    weights, bias = found.coef_, found.intercept_
    if len(present) == 2:  # scikit-learn has one row then: of the second class against the first
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    _set(network, vectors, weights, bias, present)


def fit_prototypes(
    network, vectors: np.ndarray, truth: np.ndarray, *, distance="euclidean", **_
) -> None:
    """Weights that compare with each class's mean.

    Euclidean: -|e - p|² = 2 e·p - |p|² - |e|², and |e|² is the same for all classes. Over twice the
    variance within classes this is the logit of normal classes of one variance in all directions.
    Cosine: e·p / |p| decides as e·p / (|e| |p|) does, since |e| is the same for all classes; its
    logits grow with |e|.

    Args:
        vectors: (n, features), without unit, as `embedding_of(network)` gives them.
        truth: (n,) classes.

    Raises: as `fit_lda`.
    """
    vectors = standardise(network, vectors)
    present = classes_of(truth)
    means = np.stack([vectors[truth == each].mean(axis=0) for each in present])
    if distance == "cosine":
        weights = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        bias = np.zeros(len(means))
    else:
        within = vectors - means[np.searchsorted(present, truth)]
        variance = max(float(np.mean(within**2)), 1e-12)
        weights, bias = means / variance, -np.sum(means**2, axis=1) / (2 * variance)
    _set(network, vectors, weights, bias, present)


def shrunk_lda(*, shrinkage: float | str = "auto", priors: list[float] | None = None):
    """scikit-learn's linear discriminant analysis with a shrunk covariance: features can outnumber
    windows (O. Ledoit, M. Wolf, "Honey, I shrunk the sample covariance matrix", 2004).

    Raises:
        KdEdgeError KD_MISSING_PACKAGE: scikit-learn is not installed.
    """
    require("sklearn", extra="build", purpose="linear discriminant analysis")
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=priors)


def _set(network, vectors, weights, bias, present) -> None:
    """The last layer's weights, for all classes.

    What all classes have in common is taken off: it changes no decision, and int8 would spend its
    steps on it.

    Args:
        weights: (classes present, features). bias: (classes present,).
    """
    weights, bias = weights - weights.mean(axis=0), bias - bias.mean()
    last = network.get_layer(LOGITS)
    kernel = np.zeros((vectors.shape[1], last.units))
    offsets = np.full(last.units, (vectors @ weights.T + bias).min())
    kernel[:, present], offsets[present] = weights.T, bias
    last.set_weights([kernel.astype(np.float32), offsets.astype(np.float32)])
