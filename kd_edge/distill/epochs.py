"""What one epoch after another is, however the models are trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kd_edge.base.errors import KdEdgeError


def epoch_order(seed: int, epoch: int, shown: int) -> np.ndarray:
    """The order in which an epoch shows a model its examples: (shown,) int64, a permutation.

    Seeded by epoch: a resumed run sees the examples in the order of an uninterrupted one.
    """
    return np.random.default_rng([seed, epoch]).permutation(shown)


def goes_on(epochs: int, patience: int | None, done: int, losses: Sequence[float]) -> bool:
    """Epochs are left, and the patience is not at its end.

    Args:
        epochs: at most. done: until now.
        losses: of each on the validation part; empty without one.
    """
    if done >= epochs:
        return False
    if patience is None or not losses:
        return True
    return done - 1 - int(np.argmin(losses)) < patience


def diverged(
    name: str, loss: float, *, epoch: int, epochs: int, learning_rate: float
) -> KdEdgeError:
    """KD_DIVERGED, of a loss that is not finite in an epoch, which is counted from 1."""
    return KdEdgeError(
        "KD_DIVERGED",
        f"training of {name} diverged: its loss is {loss}",
        where=f"epoch {epoch} of {epochs}",
        hint=f"lower the learning rate (it is {learning_rate:g}), and look for very large samples "
        "with `kd-edge data inspect`",
    )
