"""Plain baselines, LDA and a random forest on simple features: what a network has to beat."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kd_edge.base.errors import KdEdgeError, require
from kd_edge.base.registry import Registry
from kd_edge.examples import Examples
from kd_edge.measure.features import window_features
from kd_edge.tasks.accuracy import measure_accuracy
from kd_edge.tasks.figures import Accuracy


def run_baseline(
    name: str,
    train: Examples,
    tests: dict[str, Examples],
    *,
    rate_hz: dict[str, float] | None,
    seed: int,
) -> dict[str, Accuracy]:
    """Fit a baseline on the training part and measure it on every test part.

    Args and errors: as `baseline_scores`.
    """
    scores = baseline_scores(name, train, tests, rate_hz=rate_hz, seed=seed)
    return {part: measure_accuracy(scores[part], windows) for part, windows in tests.items()}


def baseline_scores(
    name: str,
    train: Examples,
    tests: dict[str, Examples],
    *,
    rate_hz: dict[str, float] | None,
    seed: int,
) -> dict[str, np.ndarray]:
    """Fit a baseline on the training part and ask it about every test part.

    Args:
        name: a key of `BASELINES`.
        tests: part name -> windows.
        rate_hz: model input -> samples a second, see `window_features`.
        seed: of the random forest.

    Returns:
        part name -> (n_windows, classes) probabilities.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: no such baseline.
        KdEdgeError KD_MISSING_PACKAGE: scikit-learn is not installed.
        KdEdgeError KD_ONE_CLASS: the training part has fewer than two classes.
    """
    classifier = fit_baseline(name, baseline_features(train, rate_hz), train.truth, seed=seed)
    return {part: ask_baseline(classifier, windows, rate_hz) for part, windows in tests.items()}


def baseline_features(windows: Examples, rate_hz: dict[str, float] | None) -> np.ndarray:
    """(n_windows, features) float32 of `window_features`, as a bundle keeps them.

    Args:
        rate_hz: model input -> samples a second.
    """
    return window_features(windows, rate_hz=rate_hz).astype(np.float32)


def fit_baseline(name: str, features: np.ndarray, truth: np.ndarray, *, seed: int):
    """A classifier as scikit-learn has them; the same features give the same one.

    Args:
        name: a key of `BASELINES`. seed: of the random forest.
        features: (n_windows, features) float32. truth: (n_windows,) classes.

    Raises:
        KdEdgeError: as `baseline_scores`.
    """
    make = BASELINES.find(name)
    if len(np.unique(truth)) < 2:
        raise KdEdgeError("KD_ONE_CLASS", "a baseline needs at least two classes to train on")
    require("sklearn", extra="build", purpose=f"the baseline '{name}'")
    return make(seed).fit(features.astype(np.float64), truth)


def ask_baseline(classifier, windows: Examples, rate_hz: dict[str, float] | None) -> np.ndarray:
    """(n_windows, classes) probabilities; a class that training lacked has none.

    Args:
        rate_hz: model input -> samples a second.
    """
    scores = np.zeros((len(windows), len(windows.class_names)))
    features = baseline_features(windows, rate_hz).astype(np.float64)
    scores[:, classifier.classes_] = scores_of(classifier, features)
    return scores


def scores_of(classifier, features: np.ndarray) -> np.ndarray:
    """(n, classes trained on) probabilities, the same to the bit on any number of cores.

    Args:
        features: (n, n_features), as `window_features` gives them.
    """
    if "n_jobs" in classifier.get_params():
        # A forest adds up its trees' answers in the order in which its threads end.
        classifier.set_params(n_jobs=1)
    return classifier.predict_proba(features)


def _lda(seed: int):
    """Linear discriminant analysis, as the model `lda` is fitted, on richer features."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from kd_edge.models.linear import shrunk_lda

    del seed  # nothing in it is random
    return make_pipeline(StandardScaler(), shrunk_lda())


def _random_forest(seed: int):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_estimators=300, random_state=seed, n_jobs=-1)


# Name -> function from a seed to a classifier as scikit-learn has them.
BASELINES: Registry[Callable] = Registry(
    "baseline", {"lda": _lda, "random-forest": _random_forest}, home=__name__
)
