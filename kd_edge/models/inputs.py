"""What every builder does with its inputs: Input layers, reshapes, and checks of options."""

from __future__ import annotations

import math
from collections.abc import Iterable

import keras
from keras import layers

from kd_edge.base.errors import KdEdgeError, nearest


def make_inputs(input_shapes: dict[str, tuple[int, ...]]) -> dict[str, keras.KerasTensor]:
    """One Input layer a name, in that order."""
    return {name: keras.Input(shape=shape, name=name) for name, shape in input_shapes.items()}


def as_timeline(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """(batch, [steps,] samples, channels) -> (batch, 1, all samples, channels)."""
    *time, channels = x.shape[1:]
    samples = time[0] if len(time) == 1 else time[0] * time[1]
    return layers.Reshape((1, samples, channels), name=f"{name}_timeline")(x)


def as_steps(x: keras.KerasTensor, name: str, steps: int) -> keras.KerasTensor:
    """(batch, samples, channels) -> (batch, steps, samples / steps, channels); with steps: as is.

    Raises:
        KdEdgeError KD_SHAPE: the samples do not divide into the steps.
    """
    if len(x.shape) == 4:
        return x
    samples, channels = x.shape[1:]
    if samples % steps:
        raise KdEdgeError(
            "KD_SHAPE",
            f"input '{name}' has {samples} samples, which do not divide into {steps} steps",
            hint="choose another window length, or set the model's option 'steps'",
        )
    return layers.Reshape((steps, samples // steps, channels), name=f"{name}_steps")(x)


def one_image(inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
    """The image among a model's inputs. Raises KD_SHAPE: there is anything else."""
    shapes = [tuple(x.shape[1:]) for x in inputs]
    if [len(shape) for shape in shapes] != [3]:
        raise KdEdgeError(
            "KD_SHAPE",
            f"the model takes one image, not inputs of shapes {shapes}",
            hint="models for sensors: tcn, tcn-residual, ds-cnn, conv-teacher",
        )
    return inputs[0]


def check_option(name: str, value, low, high=None) -> None:
    """Raises KD_RECIPE_VALUE unless low <= value (<= high); with a whole `low`, unless it is whole.

    True and False are no numbers here, although Python counts with them.
    """
    whole = isinstance(low, int)
    number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not number or value < low or (high is not None and value > high):
        bound = f"at least {low}" if high is None else f"from {low} to {high}"
        kind = "a whole number, " if whole else ""
        raise KdEdgeError(
            "KD_RECIPE_VALUE", f"model option '{name}' must be {kind}{bound}, not {value}"
        )


def check_choice(name: str, value, known: Iterable[str | int]) -> None:
    """Raises KD_RECIPE_VALUE, with the nearest, unless the value is one of the known."""
    known = list(known)
    if not any(value == each and type(value) is type(each) for each in known):
        close = nearest(value, [each for each in known if type(each) is type(value)])
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"model option '{name}' cannot be {value!r}{close}",
            hint=f"it may be {', '.join(str(each) for each in known)}",
        )


def check_pixel_range(pixel_range) -> tuple[float, float]:
    """The model option `pixel_range`: the numbers of black and white. Raises KD_RECIPE_VALUE."""
    pair = list(pixel_range) if isinstance(pixel_range, list | tuple) else []
    numbers = all(type(each) in (int, float) and math.isfinite(each) for each in pair)
    if not (len(pair) == 2 and numbers and pair[0] < pair[1]):
        raise KdEdgeError(
            "KD_RECIPE_VALUE", f"model option 'pixel_range' is [low, high], not {pixel_range}"
        )
    return pair[0], pair[1]


def too_short(name: str, length: int, what: str) -> KdEdgeError:
    """The error for a window that a layer would shrink to nothing."""
    return KdEdgeError(
        "KD_SHAPE",
        f"input '{name}' is too short for {what}: {length} samples left",
        hint="use longer windows, or a smaller kernel or pool in the model's options",
    )
