"""The converter's child process: `python -m kd_edge.convert.child JOB.json`.

TensorFlow's converter may end Python; here it ends nothing else. The answer is a file: the model,
or the error as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import numpy as np

from kd_edge.errors import KdEdgeError


def main(job_path: str) -> int:
    """Do the job of the file; 0 where the model was written, 3 where the reason was."""
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        content = _convert(job)
    except KdEdgeError as error:
        Path(job["error"]).write_text(json.dumps(error.to_json()), encoding="utf-8")
        return 3
    Path(job["out"]).write_bytes(content)
    return 0


def _end_with_parent() -> None:
    # The other end of standard input closes when the parent ends, however it ends.
    os.read(0, 1)
    os._exit(1)


def _convert(job: dict) -> bytes:
    from kd_edge.convert.converter import convert_model

    model = _load(job["keras"])
    calibration = None
    if job["calibration"]:
        with np.load(job["calibration"]) as arrays:
            calibration = {name: arrays[f"input_{i}"] for i, name in enumerate(job["input_order"])}
    try:
        return convert_model(
            model, fmt=job["fmt"], input_order=job["input_order"], calibration=calibration
        )
    except KdEdgeError:
        raise
    except Exception as error:
        # TensorFlow refuses with exceptions of many kinds; each is the user's to read.
        raise KdEdgeError(
            "KD_CONVERTER_REFUSED",
            f"TensorFlow's converter refuses the model: {_first_lines(error)}",
            where=f"{job['keras']} to {job['fmt']}",
            hint="build the model of LSTM, convolutions, Dense and pooling layers",
        ) from error


def _load(path: str):
    from kd_edge.errors import require

    require("tensorflow", extra="build", purpose="converting a model")
    import keras

    import kd_edge.models.layers  # noqa: F401  registers the layers that a file may hold

    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"cannot load the Keras model: {_first_lines(error)}",
            where=path,
            hint="a .keras file of a functional model, with Keras' or kd-edge's own layers",
        ) from error


def _first_lines(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " | ".join(lines[:3])[:600] or type(error).__name__


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
