"""Names in a recipe that stand for code: known, or refused before any work starts."""

from __future__ import annotations

from collections.abc import Iterable

from kd_edge.errors import KdEdgeError, nearest
from kd_edge.recipe import Recipe


def check_names(recipe: Recipe) -> None:
    """Look up every model, loss, ensemble and baseline that a recipe names.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: with the nearest names, KD_MISSING_PACKAGE: no build extra.
    """
    from kd_edge.distill.ensemble import ENSEMBLES
    from kd_edge.measure.baselines import BASELINES
    from kd_edge.models import MODELS
    from kd_edge.pipeline.training import training_versions

    training_versions()
    for kind, models in (("teachers", recipe.teachers), ("students", recipe.students)):
        for position, model in enumerate(models):
            _check(model.model, MODELS, "model", f"{kind}.{position}.model")
    for name in recipe.proof.baselines:
        _check(name, BASELINES, "baseline", "proof.baselines")
    if recipe.distillation is None:
        return
    from kd_edge.distill.losses import LOSSES

    _check(recipe.distillation.loss, LOSSES, "loss", "distillation.loss")
    if recipe.distillation.ensemble is not None:
        _check(recipe.distillation.ensemble, ENSEMBLES, "ensemble", "distillation.ensemble")


def _check(name: str, known: Iterable[str], what: str, where: str) -> None:
    names = sorted(known)
    if name not in names:
        raise KdEdgeError(
            "KD_UNKNOWN_NAME",
            f"no {what} is called '{name}'{nearest(name, names)}",
            where=where,
            hint=f"there are {', '.join(names)}",
        )
