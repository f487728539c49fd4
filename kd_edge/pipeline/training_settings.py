"""What a recipe says of training, as the trainer takes it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from kd_edge.pipeline.parts import FoldWindows
from kd_edge.recipe import Model, Recipe

if TYPE_CHECKING:
    from kd_edge.distill.losses import Loss
    from kd_edge.distill.trainer import Augmenting, TrainSettings


def settings_of(
    recipe: Recipe, data: FoldWindows, model: Model, *, distilled: bool
) -> TrainSettings:
    """How a model of a recipe is trained in a fold.

    Args:
        distilled: it learns from teachers.
    """
    from kd_edge.distill.losses import weigh_labels, weights_of_classes
    from kd_edge.distill.trainer import TrainSettings

    return TrainSettings(
        epochs=model.epochs,
        batch_size=model.batch_size,
        learning_rate=model.learning_rate,
        learning_rate_decay=model.learning_rate_decay,
        patience=model.patience,
        seed=model_seed(recipe.seed, model.name),
        loss=weigh_labels(
            loss_of(recipe) if distilled else None,
            recipe.distillation.alpha if distilled else None,
            model.label_smoothing,
            weights_of_classes(data.lessons, model.class_balance, model.class_weights),
        ),
        augmentation=_augmenting(recipe, data),
    )


def loss_of(recipe: Recipe) -> Loss:
    """The loss by which students learn from teachers."""
    from kd_edge.distill.losses import make_loss

    return make_loss(recipe.distillation.loss, recipe.distillation.options)


def model_seed(seed: int, name: str) -> int:
    """A seed of its own for each model, so that adding one changes no other."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:4], "little") >> 1


def _augmenting(recipe: Recipe, data: FoldWindows) -> Augmenting | None:
    from kd_edge.distill.augmentations import make_augmentations
    from kd_edge.distill.trainer import Augmenting

    table = recipe.augmentation
    if table is None:
        return None
    return Augmenting(
        copies=table.copies,
        augmentations=make_augmentations(table.options),
        rates_hz=data.input_rates_hz,
        channels=data.input_channels,
    )
