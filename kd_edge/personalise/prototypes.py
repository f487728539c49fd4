"""Prototypes of classes, moved to one wearer, as a dense layer.

Training leaves the mean m of each class's embedding and the covariance S of windows around the mean
of their own person's class. A wearer's repetitions x_1 … x_k of a class move its mean to

    m' = (n0 m + x_1 + … + x_k) / (n0 + k),          n0 = 0.5

and the class of an embedding e is the nearest mean by the distance that S gives: the largest of

    w · e + b,   w = P m',   b = -m' · P m' / 2,   P = (S + s I)^-1,   s = trace(S) / features

That is linear discriminant analysis (R. A. Fisher, Annals of Eugenics 1936) with means shrunk to
the population's and a covariance shrunk to a multiple of the identity (O. Ledoit and M. Wolf,
Journal of Multivariate Analysis 2004). n0 and the weight of the identity were chosen on two signers
of a validation part (`myo-pjm`, persons 2 and 7), and are the same for every bundle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Repetitions that training's mean of a class counts for.
PRIOR_REPETITIONS = 0.5
# Of the mean variance, added to each feature's.
IDENTITY_WEIGHT = 1.0
# Beyond this the covariance is larger than the models that it is for.
MOST_FEATURES = 1024


@dataclass(frozen=True, eq=False)
class Prototypes:
    """What a model makes of training's windows, right before its last layer.

    Attributes:
        means: (classes, features) float32, of the embedding in its real unit.
        within: (features, features) float32, covariance around the mean of a person's class.
        windows: (classes,) int64 of training.
    """

    means: np.ndarray
    within: np.ndarray
    windows: np.ndarray


@dataclass(frozen=True, eq=False)
class Few:
    """A wearer's labelled repetitions.

    Attributes:
        embedding: (windows, features) float32, in its real unit.
        truth: (windows,) int64 class of each.
        recording: (windows,) int64: windows of one number are one repetition. Numbers rise with
            time.
    """

    embedding: np.ndarray
    truth: np.ndarray
    recording: np.ndarray

    def take(self, which: np.ndarray) -> Few:
        """Those of the windows for which the (windows,) bool is True."""
        return Few(self.embedding[which], self.truth[which], self.recording[which])

    @property
    def repetition(self) -> np.ndarray:
        """(windows,) int64: 0 for the first repetition of its class, 1 for the second, …"""
        numbers = np.zeros(len(self.truth), np.int64)
        for each in np.unique(self.truth):
            mine = self.truth == each
            numbers[mine] = np.unique(self.recording[mine], return_inverse=True)[1]
        return numbers


@dataclass(frozen=True, eq=False)
class FloatHead:
    """A last layer in real numbers.

    Attributes:
        weights: (classes, features) float64, scores a unit of the embedding.
        bias: (classes,) float64, scores.
    """

    weights: np.ndarray
    bias: np.ndarray


def fit_prototypes(
    embedding: np.ndarray, truth: np.ndarray, subject: np.ndarray, n_classes: int
) -> Prototypes:
    """Means and covariance of training's windows.

    Args:
        embedding: (windows, features) in its real unit. truth: (windows,) classes.
        subject: (windows,) names.

    Raises:
        ValueError: with a sentence, where a class has no window or there are too many features.
    """
    windows = np.bincount(truth, minlength=n_classes)
    if not windows.all():
        raise ValueError("a class has no window in the training part")
    if embedding.shape[1] > MOST_FEATURES:
        raise ValueError(f"the embedding has {embedding.shape[1]} values, above {MOST_FEATURES}")
    values = embedding.astype(np.float64)
    means = np.stack([values[truth == each].mean(axis=0) for each in range(n_classes)])
    around = np.empty_like(values)
    for person in np.unique(subject):
        for each in np.unique(truth[subject == person]):
            mine = (subject == person) & (truth == each)
            around[mine] = values[mine] - values[mine].mean(axis=0)
    within = around.T @ around / len(values)
    return Prototypes(means.astype(np.float32), within.astype(np.float32), windows)


def learn(prototypes: Prototypes, few: Few) -> FloatHead:
    """The last layer that a wearer's repetitions give; with none of them, training's own.

    A repetition counts once, however many windows it has. A class without one keeps training's
    mean.
    """
    means = prototypes.means.astype(np.float64)
    for each in np.unique(few.truth):
        mine = few.truth == each
        own = [few.embedding[few.recording == r].mean(axis=0, dtype=np.float64)
               for r in np.unique(few.recording[mine])]  # fmt: skip
        means[each] = (PRIOR_REPETITIONS * means[each] + np.sum(own, axis=0)) / (
            PRIOR_REPETITIONS + len(own)
        )
    within = prototypes.within.astype(np.float64)
    spread = np.trace(within) / len(within)
    # An embedding that never varies within a class has no distance of its own: take the plain one.
    covariance = within + (IDENTITY_WEIGHT * spread or 1.0) * np.eye(len(within))
    weights = np.linalg.solve(covariance, means.T).T
    return FloatHead(weights, -0.5 * np.einsum("cf,cf->c", weights, means))
