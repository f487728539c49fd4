"""Which windows calibrate an int8 model, and how they are shown to TensorFlow's calibrator."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.examples import spread_evenly


def choose(labels: np.ndarray, subjects: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Windows for calibration, balanced over classes, and over subjects within each class.

    Args:
        labels: (windows,) classes.
        subjects: (windows,) names.
        n: windows wanted; all are taken where there are fewer.
        seed: of the choice.

    Returns:
        (min(n, windows),) int64 indices, see `kd_edge.examples.spread_evenly`.

    Raises:
        KdEdgeError KD_EMPTY_PART: there are no windows, or n < 1.
    """
    if len(labels) == 0 or n < 1:
        raise KdEdgeError(
            "KD_EMPTY_PART",
            f"cannot calibrate on {min(len(labels), n)} windows",
            hint="set conversion.calibration_windows to at least 1; the training part may be empty",
        )
    return spread_evenly(labels, subjects, n, seed)


@contextlib.contextmanager
def state_reset_for_each_sample() -> Iterator[None]:
    """TensorFlow's calibrator, made to forget LSTM state after each sample while the block runs.

    It carries the state from one sample to the next, so that ranges depend on the samples' order;
    every call of `_feed_tensors` prepares the interpreter anew and so resets it.

    Raises:
        KdEdgeError KD_CONVERTER_REFUSED: this TensorFlow's calibrator is another.
    """
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    original = private_call(Calibrator, "_feed_tensors", ("self", "dataset_gen", "resize_input"))

    def feed(self, dataset_gen, resize_input):
        for sample in dataset_gen():
            original(self, lambda sample=sample: iter([sample]), resize_input)

    Calibrator._feed_tensors = feed
    try:
        yield
    finally:
        Calibrator._feed_tensors = original


def private_call(owner: type, name: str, parameters: tuple[str, ...]) -> Callable:
    """A private function of TensorFlow, once its parameters are what kd-edge was tested with.

    Raises:
        KdEdgeError KD_CONVERTER_REFUSED: it is not there, or takes other parameters.
    """
    function = getattr(owner, name, None)
    found = tuple(inspect.signature(function).parameters) if function else None
    if found != parameters:
        raise KdEdgeError(
            "KD_CONVERTER_REFUSED",
            f"this TensorFlow's {owner.__name__}.{name} takes {found}, not {parameters}",
            where=owner.__module__,
            hint="pip install 'kd-edge[build]' brings the TensorFlow that kd-edge was tested with",
        )
    return function
