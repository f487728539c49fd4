"""Teachers' files that tests write and open."""

from __future__ import annotations

import keras
import numpy as np
import onnx_files
import pytest
from training_samples import windows

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.foreign.opening import open_teacher
from kd_edge.distill.foreign.settings import TeacherFile
from kd_edge.examples.hashes import hex_digits, window_hashes

WINDOWS = windows(21)
RNG = np.random.default_rng(5)
WEIGHTS, BIAS = RNG.normal(size=(96, 3)), RNG.normal(size=3)
FLAT = WINDOWS.inputs["emg"].reshape(21, -1).astype(float)


def opened(path, content=None, **settings):
    """A teacher from a file of that content."""
    if content is not None:
        path.write_bytes(content)
    plain = {} if path.suffix == ".npz" else {"classes": "same", "inputs": ("emg",)}
    return open_teacher(
        TeacherFile(name="big", file=str(path), **{**plain, **settings}),
        shapes=WINDOWS.input_shapes,
        class_names=WINDOWS.class_names,
    )


def onnx(tmp_path, **settings):
    """An ONNX teacher that adds up the numbers of a window."""
    pytest.importorskip("onnxruntime")
    made = {"shape": (4, 12, 2), "batch": "n", "softmax": False}
    made |= {key: settings.pop(key) for key in tuple(settings) if key in made}
    return opened(tmp_path / "big.onnx", onnx_files.linear(WEIGHTS, BIAS, **made), **settings)


def refused(code, act, *arguments, **settings):
    """What an error says, where and what to do."""
    with pytest.raises(KdEdgeError) as caught:
        act(*arguments, **settings)
    assert caught.value.code == code
    return str(caught.value)


def keras_model(shape, *, heads=1):
    """Somebody else's: an input of another name, and the weights of the ONNX files."""
    given = keras.Input(shape, name="their_emg")
    flat = keras.layers.Flatten(name="flat")(given)
    scores = [keras.layers.Dense(3, name=f"head_{n}")(flat) for n in range(heads)]
    model = keras.Model(given, scores if heads > 1 else scores[0])
    model.get_layer(f"head_{heads - 1}").set_weights([WEIGHTS, BIAS])
    return model


def logits_file(path, data=WINDOWS, **changes):
    """What a program has said to windows."""
    hashes = hex_digits(window_hashes(data))
    flat = data.inputs["emg"].reshape(len(data), -1)
    logits = (flat @ WEIGHTS + BIAS).astype("f4")
    np.savez(path, **{"hash": hashes, "logits": logits, "classes": data.class_names, **changes})
    return path
