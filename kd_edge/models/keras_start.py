"""Keras as builds need it, whatever the user's own configuration says, and `.keras` files.

Keras reads its configuration once, when it is imported: `set_keras` comes before that.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from kd_edge.base.errors import KdEdgeError, require
from kd_edge.base.untrusted import MOST_KERAS_BYTES, check_zip

# Has a keras.json of ours: TensorFlow, float32, channels last.
KERAS_HOME = Path(__file__).with_name("keras_home")
KERAS_ENVIRONMENT = {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": str(KERAS_HOME)}
# They cap every training without a word, or change what a variable or `tf.keras` is.
_SET_ASIDE = (
    "KERAS_MAX_EPOCHS",
    "KERAS_MAX_STEPS_PER_EPOCH",
    "KERAS_NNX_ENABLED",
    "TF_USE_LEGACY_KERAS",
)
_USUAL = {"backend": "tensorflow", "floatx": "float32", "image_data_format": "channels_last"}


def set_keras() -> None:
    """Choose TensorFlow, float32 and channels last for this process and its children.

    Raises:
        KdEdgeError KD_USAGE: Keras runs in this process already, on another backend.
    """
    os.environ.update(KERAS_ENVIRONMENT)
    for name in _SET_ASIDE:
        os.environ.pop(name, None)
    keras = sys.modules.get("keras")
    if keras is None:
        return
    if keras.backend.backend() != "tensorflow":
        raise KdEdgeError(
            "KD_USAGE",
            f"Keras runs on {keras.backend.backend()} in this process, and kd-edge needs it on "
            "TensorFlow",
            where="keras.backend.backend()",
            hint="start another process, or set KERAS_BACKEND=tensorflow before Keras is imported",
        )
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")


def set_aside() -> list[str]:
    """What the user's own configuration asks of Keras that a build does not follow, for people."""
    home = os.environ.get("KERAS_HOME") or str(Path.home() / ".keras")
    found = []
    backend = os.environ.get("KERAS_BACKEND")
    if backend not in (None, "", "tensorflow"):
        found.append(f"KERAS_BACKEND={backend}")
    found += [f"{name}={os.environ[name]}" for name in _SET_ASIDE if os.environ.get(name)]
    path = Path(home, "keras.json")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        told = [(key, content.get(key, usual)) for key, usual in _USUAL.items()]
    except OSError:
        told = []
    except (ValueError, AttributeError, RecursionError):
        return [*found, f"{path}, which is not JSON"]
    return found + [f"{key} {value!r} in {path}" for key, value in told if value != _USUAL[key]]


def load_keras(path: Path):
    """A functional model from a `.keras` file, with Keras' and kd-edge's own layers, never code.

    Raises:
        KdEdgeError KD_BAD_FORMAT: it is no such file, unpacks to more than 1 GB, or holds code.
        KdEdgeError KD_MISSING_PACKAGE: TensorFlow is not installed.
    """
    set_keras()
    require("tensorflow", extra="build", purpose="reading a Keras model")
    return read_keras(path)


def read_keras(path: Path):
    """As `load_keras`, on the backend that this process has. Raises KD_BAD_FORMAT as that."""
    import keras

    import kd_edge.models.grid
    import kd_edge.models.layers  # noqa: F401  both register the layers that a file may hold

    try:
        check_zip(path, most_bytes=MOST_KERAS_BYTES)
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        # Keras refuses with exceptions of many kinds.
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"cannot load the Keras model: {first_lines(error)}",
            where=str(path),
            hint="a .keras file of a functional model, with Keras' or kd-edge's own layers",
        ) from error


def first_lines(error: Exception) -> str:
    """What an error of another library says, short enough for one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " | ".join(lines[:3])[:600] or type(error).__name__
