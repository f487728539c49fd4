"""The table from which the kernels interpolate 16-bit logistic and tanh."""

from __future__ import annotations

import functools

import numpy as np

_PER_UNIT = 24  # entries for each 1 of the argument


@functools.cache
def sigmoid_table() -> np.ndarray:
    """int16 (257,): 65536 * sigmoid(i / 24) - 32768, as TFLite's table of 256 minus 32768.

    Each entry is raised by half of what a straight line to the next one falls short in the middle,
    so that the interpolation errs alike to both sides. The last two are saturated: tanh is
    constant from there on.
    """
    at = np.arange(257) / _PER_UNIT
    sigmoid = 1 / (1 + np.exp(-at))
    curvature = sigmoid * (1 - sigmoid) * (1 - 2 * sigmoid) / _PER_UNIT**2
    table = np.rint(65536 * (sigmoid - curvature / 16)) - 32768
    table[255:] = 32767
    table = table.astype(np.int16)
    table.setflags(write=False)
    return table
