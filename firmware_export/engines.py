"""What runs a model on a board: one record each."""

from __future__ import annotations

from dataclasses import dataclass

from kd_edge.base.registry import Registry


@dataclass(frozen=True)
class Engine:
    """One engine.

    Attributes:
        name: as in `--engine` and in what a board says of itself.
        title: for people.
    """

    name: str
    title: str


PLAIN_C = Engine("aot", "plain C")
# Its library is not ours: a project brings it.
TFLITE_MICRO = Engine("tflm", "TFLite Micro")
ENGINES: Registry[Engine] = Registry("engine", (PLAIN_C, TFLITE_MICRO), home=__name__)
