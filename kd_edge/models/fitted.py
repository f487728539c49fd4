"""Models that are computed from the training part at once, without steps of a gradient."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kd_edge.base.registry import Registry

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Fitted:
    """How a model of `kd_edge.models.MODELS` is fitted; its builder takes `body`, too.

    Attributes:
        name: the model's.
        fit: a function of (network, vectors, truth, *, seed, **options), which sets the weights
            behind the network's embedding; or 'module:function', which is imported when it is
            needed.
        ships: whether devices run it; one that they do not can only teach.
    """

    name: str
    fit: str | Callable[..., None]
    ships: bool = True

    @property
    def function(self) -> Callable[..., None]:
        """What `fit` names."""
        if callable(self.fit):
            return self.fit
        module, function = self.fit.split(":")
        return getattr(importlib.import_module(module), function)


FITTED: Registry[Fitted] = Registry(
    "fitted model",
    (
        Fitted("lda", "kd_edge.models.linear:fit_lda"),
        Fitted("prototype", "kd_edge.models.linear:fit_prototypes"),
        Fitted("extra-trees", "kd_edge.models.trees:fit_extra_trees", ships=False),
    ),
    home=__name__,
)


def ships(name: str) -> bool:
    """Whether a model of `kd_edge.models.MODELS` has forms that devices run."""
    return name not in FITTED or FITTED[name].ships


def fit_model(
    name: str,
    network: keras.Model,
    vectors: np.ndarray,
    truth: np.ndarray,
    *,
    seed: int,
    options: dict,
) -> None:
    """Set the weights of a network that `build_model` has made.

    Args:
        name: a key of `FITTED`.
        vectors: (n, features) float32, what `embedding_of(network)` says of the training windows.
        truth: (n,) their classes.
        seed: of what is random in it.
        options: the model's, as `build_model` had them.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: the model is trained, not fitted. KD_ONE_CLASS: the training
            part has fewer than two classes.
    """
    FITTED.find(name).function(network, vectors, truth, seed=seed, **options)
