"""What a model states of its own int8 rounding: the grid of a value between two layers."""

from __future__ import annotations

import keras

STEPS = 255  # from one end of int8 to the other


@keras.saving.register_keras_serializable(package="kd_edge")
class Grid(keras.layers.Layer):
    """Values pass as they are; in an int8 form they lie on this grid: real = step * (i - zero).

    i goes from 0 to 255 and is the int8 value + 128. The converter takes scale and zero point from
    here, and asks no calibration.

    Args:
        step: > 0, in the value's unit.
        zero: i of 0.0, a whole number from 0 to 255.

    Inputs and output: any shape.
    """

    def __init__(self, *, step: float = 1.0, zero: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.step = float(step)
        self.zero = int(zero)

    @property
    def low(self) -> float:
        """The least value on the grid."""
        return -self.zero * self.step

    @property
    def high(self) -> float:
        """The largest value on the grid."""
        return (STEPS - self.zero) * self.step

    def call(self, inputs):
        return inputs

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "step": self.step, "zero": self.zero}


def grid_of(low: float, high: float) -> tuple[float, int]:
    """Step and zero of the grid over a range, which is widened to hold 0.0, as converters do it.

    Args:
        low, high: in the value's unit.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / STEPS or 1.0
    return step, round(-low / step)
