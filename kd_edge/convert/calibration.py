"""Which windows calibrate an int8 model, and how they are shown to TensorFlow's calibrator."""

from __future__ import annotations

import contextlib
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np

from kd_edge.errors import KdEdgeError


def choose(labels: np.ndarray, subjects: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Windows for calibration, balanced over classes, and over subjects within each class.

    Args:
        labels: (windows,) classes.
        subjects: (windows,) names.
        n: windows wanted; all are taken where there are fewer.
        seed: of the choice.

    Returns:
        (min(n, windows),) int64 indices in rising order. The counts of any two classes differ by
        at most one while both have windows left, and so do those of two subjects within a class.

    Raises:
        KdEdgeError KD_EMPTY_PART: there are no windows, or n < 1.
    """
    if len(labels) == 0 or n < 1:
        raise KdEdgeError(
            "KD_EMPTY_PART",
            f"cannot calibrate on {min(len(labels), n)} windows",
            hint="set conversion.calibration_windows to at least 1; the training part may be empty",
        )
    random = np.random.default_rng(seed)
    groups: dict[object, dict[object, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index in random.permutation(len(labels)):
        groups[labels[index]][subjects[index]].append(int(index))
    by_class = [list(_take_turns([*groups[label].values()], random)) for label in sorted(groups)]
    chosen = [index for index, _ in zip(_take_turns(by_class, random), range(n), strict=False)]
    return np.sort(np.array(chosen, dtype=np.int64))


def _take_turns(queues: list[list[int]], random: np.random.Generator) -> Iterator[int]:
    """One of each queue in turn, in a new order each round, until all are empty."""
    position = 0
    while any(position < len(queue) for queue in queues):
        for which in random.permutation(len(queues)):
            if position < len(queues[which]):
                yield queues[which][position]
        position += 1


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
