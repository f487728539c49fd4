"""How far a model's confidence is to be believed, and the temperature that mends it.

C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017:
all scores are divided by one number before the softmax. What is decided stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_edge.base.errors import KdEdgeError

# Bins of confidence, of equal width, as in the paper.
BINS = 15
# Temperatures that are looked at, as logarithms: 0.05 to 20.
_LOG_BOUNDS = (-3.0, 3.0)


@dataclass(frozen=True)
class Calibration:
    """How far confidence is to be believed on one part.

    Attributes:
        nll: mean negative log-likelihood of the true class, in nats.
        error: expected calibration error: how far confidence and accuracy lie apart, as a mean over
            `BINS` bins of confidence, weighted by their windows; 0 to 1.
    """

    n_windows: int
    nll: float
    error: float


def fit_temperature(logits: np.ndarray, truth: np.ndarray, recordings: np.ndarray) -> float:
    """The temperature, 0.05 to 20, with the least negative log-likelihood.

    Where a model answers every window rightly, the likelihood alone would take a temperature of 0:
    nothing would ever be unsure. So, of n recordings and C classes, the true class counts as
    (n + 1) / (n + C) and each other one as 1 / (n + C), which J. Platt does for two classes
    ("Probabilistic Outputs for Support Vector Machines", 1999). Windows of one recording resemble
    each other, so recordings count.

    Args:
        logits: (n, classes), of windows that the model has not learned from. truth: (n,).
        recordings: (n,) which recording each window is of.

    Raises:
        KdEdgeError KD_EMPTY_PART: there is no window.
    """
    from scipy.optimize import minimize_scalar

    if not len(truth):
        raise KdEdgeError("KD_EMPTY_PART", "there is no window to calibrate on")
    n_classes = logits.shape[1]
    smoothing = n_classes / (len(np.unique(recordings)) + n_classes)

    def loss(log: float) -> float:
        logs = _log_softmax(logits, float(np.exp(log)))
        own = logs[np.arange(len(truth)), truth]
        return float(-((1 - smoothing) * own + smoothing * logs.mean(axis=1)).mean())

    found = minimize_scalar(loss, bounds=_LOG_BOUNDS, method="bounded")
    return float(np.exp(found.x))


def measure_calibration(
    logits: np.ndarray, truth: np.ndarray, temperature: float = 1.0
) -> Calibration:
    """How far the confidence of logits at a temperature is to be believed.

    Args:
        logits: (n, classes), n > 0. truth: (n,).
    """
    shares = softmax(logits, temperature)
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == truth
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    apart = np.abs(
        np.bincount(bins, weights=confidence, minlength=BINS)
        - np.bincount(bins, weights=right, minlength=BINS)
    )
    return Calibration(
        len(truth), _nll(logits, truth, temperature), float(apart.sum() / counts.sum())
    )


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """(n, classes) float64 shares of (n, classes) logits at a temperature."""
    return np.exp(_log_softmax(logits, temperature))


def _log_softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    scaled = np.asarray(logits, np.float64) / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    return scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))


def _nll(logits: np.ndarray, truth: np.ndarray, temperature: float) -> float:
    return float(-_log_softmax(logits, temperature)[np.arange(len(truth)), truth].mean())
