"""The converter's child process; its argument is JOB.json.

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

from kd_edge.base.errors import KdEdgeError
from kd_edge.models.keras_start import first_lines, load_keras


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
    from kd_edge.convert.routes import from_json

    model = load_keras(Path(job["keras"]))
    calibration = None
    if job["calibration"]:
        with np.load(job["calibration"], allow_pickle=False) as arrays:
            calibration = {name: arrays[f"input_{i}"] for i, name in enumerate(job["input_order"])}
    try:
        return convert_model(
            model,
            route=from_json(job["route"]),
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
    sys.exit(main(sys.argv[1]))
