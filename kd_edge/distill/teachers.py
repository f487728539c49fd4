"""Trained networks as teachers: what `trainer.train` learns from."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.ensemble import ENSEMBLES, choose, joiner
from kd_edge.distill.foreign.record import FileTeacher
from kd_edge.distill.losses import Loss
from kd_edge.distill.teaching import Teaching
from kd_edge.distill.trainer import predict_logits
from kd_edge.examples import Examples
from kd_edge.tasks import Task


def teach(
    teachers: Sequence[keras.Model | FileTeacher],
    loss: Loss,
    validation: Examples,
    *,
    task: Task,
    ensemble: str | None = None,
    drop: bool = False,
) -> Teaching:
    """Trained networks and teachers from files, together, as what `train` learns from.

    Args:
        teachers: each with inputs among the examples'.
        loss: that reads what they say.
        validation: examples on which several teachers are weighed against each other.
        task: what outputs and truth mean.
        ensemble: how several teachers become one, a key of `ENSEMBLES`.
        drop: leave out teachers that make the others worse on the validation part.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME, KD_RECIPE_VALUE: as `ensemble.joiner`. KD_SHAPE: the examples
            are not the teachers'.
    """
    networks, join = list(teachers), None
    if len(networks) > 1:
        if ensemble is None:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                f"{len(networks)} teachers teach together, and nothing says how they become one",
                hint=f"name an ensemble: {', '.join(ENSEMBLES)}",
            )
        said = [
            network.predict(validation)
            if isinstance(network, FileTeacher)
            else predict_logits(network, validation)
            for network in networks
        ]
        chosen = choose(said, validation.truth, task=task, method=ensemble, drop=drop)
        networks = [networks[index] for index in chosen.kept]
        join = joiner(ensemble, len(networks), chosen.accuracies)
    return Teaching(networks, join, loss.taps().teacher)
