"""Which windows calibrate an int8 model, and how they are shown to TensorFlow's calibrator."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import pack, read_tflite, unpack
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


@contextlib.contextmanager
def each_range_its_own() -> Iterator[None]:
    """TensorFlow's calibrator, made to tell the range of every tensor by itself.

    The interpreter lets ADD, MUL and their like write over an input that nobody needs any more, and
    the calibrator looks at that input afterwards. So the last convolution of a residual block would
    get the range of the whole sum, and lose bits to it. Here every operator's result keeps its
    memory.

    Raises:
        KdEdgeError KD_CONVERTER_REFUSED: this TensorFlow's calibrator is another.
    """
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    original = private_call(Calibrator, "calibrate", ("self", "dataset_gen"))

    def calibrate(self, dataset_gen):
        model = unpack(bytes(original(self, dataset_gen)))
        tensors = model.subgraphs[0].tensors
        for index, (low, high) in own_ranges(bytes(self._model_content), dataset_gen()).items():
            found = tensors[index].quantization
            if found is not None and found.min is not None and len(found.min) == 1:
                found.min = np.maximum(found.min, np.float32(low))
                found.max = np.minimum(found.max, np.float32(high))
        return pack(model)

    Calibrator.calibrate = calibrate
    try:
        yield
    finally:
        Calibrator.calibrate = original


def own_ranges(
    content: bytes, samples: Iterable[Mapping[str, np.ndarray]]
) -> dict[int, tuple[float, float]]:
    """Least and greatest value of every operator's results in a float model, from a fresh state
    for each sample.

    Args:
        content: a `.tflite` with one signature.
        samples: name of an input in it -> (1, ...) float32.

    Returns:
        tensor index -> both, of tensors of float32.
    """
    import tensorflow as tf

    resolver = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = tf.lite.Interpreter(
        model_content=content,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=resolver,
    )
    model = read_tflite(content)
    results = [index for op in model.operators for index in op.outputs]
    results = [index for index in results if model.tensors[index].dtype == "float32"]
    run = interpreter.get_signature_runner()
    low, high = dict.fromkeys(results, np.inf), dict.fromkeys(results, -np.inf)
    for sample in samples:
        run(**sample)
        for index in results:
            values = interpreter.get_tensor(index)
            low[index] = min(low[index], float(values.min()))
            high[index] = max(high[index], float(values.max()))
        interpreter.reset_all_variables()
    return {index: (low[index], high[index]) for index in results}


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
