"""The converter's child process: it does one job after the other until standard input closes.

TensorFlow's converter may end Python; here it ends nothing else. A line of standard input names a
job's file; the answer is a line of standard output, and a file: the model, or the error as JSON.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.models.keras_start import first_lines, load_keras

WRITTEN, REFUSED = "written", "refused"


def main() -> None:
    """Do the jobs as they come; ends when standard input does, in the midst of one as well."""
    # Whatever prints, prints beside the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_take, args=(jobs,), daemon=True).start()
    while True:
        print(_do(Path(jobs.get())), file=answers, flush=True)


def _take(jobs: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line.rstrip("\n"))
    # The other end closes when the parent ends, however it ends.
    os._exit(1)


def _do(path: Path) -> str:
    job = json.loads(path.read_text(encoding="utf-8"))
    try:
        content = _convert(job)
    except KdEdgeError as error:
        Path(job["error"]).write_text(json.dumps(error.to_json()), encoding="utf-8")
        return REFUSED
    Path(job["out"]).write_bytes(content)
    return WRITTEN


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
    main()
