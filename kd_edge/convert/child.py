"""The converter's child process: TensorFlow's converter may end Python, and here nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kd_edge.base.children import Tell, serve
from kd_edge.base.errors import KdEdgeError
from kd_edge.models.keras_start import first_lines, load_keras


def _do(job: dict, _say: Tell) -> None:
    content = _convert(job)
    Path(job["out"]).write_bytes(content)


def _convert(job: dict) -> bytes:
    from kd_edge.convert.converter import convert_model
    from kd_edge.convert.routes import from_json

    route = from_json(job["route"])
    model = load_keras(Path(job["keras"]))
    calibration = None
    if job["calibration"]:
        with np.load(job["calibration"], allow_pickle=False) as arrays:
            calibration = {name: arrays[f"input_{i}"] for i, name in enumerate(job["input_order"])}
    try:
        return convert_model(
            model,
            route=route,
            input_order=job["input_order"],
            calibration=calibration,
        )
    except KdEdgeError:
        raise
    except Exception as error:
        # TensorFlow refuses with exceptions of many kinds; each is the user's to read.
        raise KdEdgeError(
            "KD_CONVERTER_REFUSED",
            f"TensorFlow's converter refuses the model: {first_lines(error)}",
            where=f"{job['keras']} to {job['fmt']}",
            hint="build the model of LSTM, convolutions, Dense and pooling layers",
        ) from error


if __name__ == "__main__":
    serve(_do)
