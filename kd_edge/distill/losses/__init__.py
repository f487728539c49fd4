"""Losses by name: one table from a name to the class that holds its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.registry import Registry
from kd_edge.distill.losses.attention import Attention
from kd_edge.distill.losses.ca_mkd import CaMkd
from kd_edge.distill.losses.channel_wise import ChannelWise
from kd_edge.distill.losses.class_weights import weights_of_classes
from kd_edge.distill.losses.crd import Crd
from kd_edge.distill.losses.dist import Dist
from kd_edge.distill.losses.dkd import Dkd
from kd_edge.distill.losses.fitnets import FitNets
from kd_edge.distill.losses.hinton import Hinton
from kd_edge.distill.losses.labels import Labels
from kd_edge.distill.losses.logit_mse import LogitMse
from kd_edge.distill.losses.pair_wise import PairWise
from kd_edge.distill.losses.record import Loss
from kd_edge.distill.losses.rkd import Rkd
from kd_edge.distill.losses.standardised import Standardised
from kd_edge.distill.losses.weighted import Term, WeightedSum, read_terms
from kd_edge.distill.options import read_options

__all__ = ["LOSSES", "Loss", "make_loss", "weigh_labels", "weights_of_classes"]

LOSSES: Registry[type[Loss]] = Registry(
    "loss",
    {
        "hinton": Hinton,
        "standardised": Standardised,
        "dkd": Dkd,
        "dist": Dist,
        "logit-mse": LogitMse,
        "ca-mkd": CaMkd,
        "fitnets": FitNets,
        "attention": Attention,
        "channel-wise": ChannelWise,
        "pair-wise": PairWise,
        "rkd": Rkd,
        "crd": Crd,
        "sum": WeightedSum,
        "labels": Labels,
    },
    home=__name__,
    plural="losses",
)


def make_loss(name: str, options: Mapping[str, Any], where: str = "distillation") -> Loss:
    """A loss with its options.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: no such loss. KD_RECIPE_KEY: it has no such option.
        KD_RECIPE_VALUE: an option is missing or out of range.
    """
    kind = LOSSES.find(name, where=f"{where}.loss")
    if kind is WeightedSum:
        options = read_terms(options, lambda n, own, at: make_loss(n, own, f"{where}.{at}"))
    return read_options(kind, options, what=f"loss '{name}'", where=where)


def weigh_labels(
    loss: Loss | None,
    alpha: float | None,
    smoothing: float = 0.0,
    class_weights: tuple[float, ...] | None = None,
) -> Loss:
    """alpha * labels + (1 - alpha) * loss; the labels alone without a loss.

    Args:
        smoothing: of the labels, see `Labels`.
        class_weights: of the labels and of every other part that has some, see `ClassWeighted`.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: alpha is missing, out of range, or has no meaning.
    """
    whole = _with_labels(loss, alpha, Labels(smoothing=smoothing))
    return whole if class_weights is None else whole.balanced(class_weights)


def _with_labels(loss: Loss | None, alpha: float | None, labels: Labels) -> Loss:
    if loss is None:
        if alpha is not None:
            raise KdEdgeError(
                "KD_RECIPE_VALUE", f"alpha = {alpha} has no meaning without a distillation loss"
            )
        return labels
    if alpha is None or not 0 <= alpha <= 1:
        raise KdEdgeError("KD_RECIPE_VALUE", f"alpha must be from 0 to 1, not {alpha}")
    return WeightedSum(terms=(Term(loss=labels, weight=alpha), Term(loss=loss, weight=1 - alpha)))
