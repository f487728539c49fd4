"""The fleet's child process: Keras on JAX, which a process that runs TensorFlow cannot have."""

from __future__ import annotations

import json
from pathlib import Path

from kd_edge.base.children import Tell, serve


def _do(job: dict, say: Tell) -> None:
    # JAX and Keras are imported here: a job that is not to be had ends without them.
    from kd_edge.distill.fleet.job import FoldSize, Told, Way
    from kd_edge.distill.fleet.work import train_all

    train_all(
        Way.read(job["way"]),
        [FoldSize.read(fold) for fold in job["folds"]],
        [Told(**model) for model in job["models"]],
        stack=Path(job["stack"]),
        folder=Path(job["folder"]),
        most_bytes=job["most_bytes"],
        say=lambda told: say(json.dumps(told)),
    )


if __name__ == "__main__":
    serve(_do)
