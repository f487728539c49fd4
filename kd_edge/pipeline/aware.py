"""Students fine-tuned behind int8's rounding: what they start from, and with which ranges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kd_edge.examples import Examples
from kd_edge.models.keras_start import load_keras
from kd_edge.recipe import Aware, Model, Recipe, Student

if TYPE_CHECKING:
    import keras


def aware_of(model: Model) -> Aware | None:
    """How a model of the recipe is fine-tuned; None for one that is trained in float."""
    return model.aware if isinstance(model, Student) else None


def calibration_of(recipe: Recipe, training: Examples) -> dict[str, np.ndarray]:
    """Training windows to calibrate with, balanced over classes and subjects.

    Returns:
        input name -> (n, ...) float32, in the windows' unit.
    """
    from kd_edge.convert.calibration import choose

    indices = choose(
        training.strata, training.groups.subject, recipe.conversion.calibration_windows, recipe.seed
    )
    return training.take(indices).in_memory().inputs


def begin(aware: Aware, start: Path, recipe: Recipe, training: Examples, seed: int) -> keras.Model:
    """The network to train: the student's file `start`, rounding as its int8 form does."""
    from kd_edge.distill.quantised import aware_network

    return aware_network(
        load_keras(start),
        calibration_of(recipe, training),
        weight_bits=aware.weight_bits,
        ranges=aware.ranges,
        seed=seed,
    )


def finished(network: keras.Model) -> keras.Model:
    """The trained network as plain layers, as `kd_edge.distill.quantised.finished` gives them."""
    from kd_edge.distill import quantised

    return quantised.finished(network)
