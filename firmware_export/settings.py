"""What an export is told beside the model itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from kd_edge.base.decision import DecisionRule
    from kd_edge.base.front_end import FrontEndConstants
    from kd_edge.base.pixels import PixelInput

ARENA_ALIGNMENT = 16
NO_LABEL = 0xFFFF


@dataclass(frozen=True, eq=False)
class Golden:
    """Answers that every runtime and engine must give bit for bit.

    Attributes:
        inputs: one int8 array (n, ...) a model input, in the model's order.
        outputs: (n, ...) int8, from the TFLite Micro interpreter.
        labels: n true classes, as indices into the labels; NO_LABEL for an example whose parts,
            such as pixels, have a class each.
        answered: of a composition: (n,) int8 which model answered; None of one model.
    """

    inputs: tuple[np.ndarray, ...]
    outputs: np.ndarray
    labels: tuple[int, ...]
    answered: np.ndarray | None = None

    @staticmethod
    def labels_of(truth: np.ndarray) -> tuple[int, ...]:
        """Labels of (n,) classes, or of (n, ...) classes of an example's parts."""
        if truth.ndim > 1:
            return (NO_LABEL,) * len(truth)
        return tuple(int(label) for label in truth)


@dataclass(frozen=True, eq=False)
class FirmwareSettings:
    """What is written into the firmware sources beside the model.

    Attributes:
        name: of the model, for people.
        labels: the classes in the output's order; () for a model whose outputs are not classes.
        arena_bytes: TFLite Micro's, as measured, without a margin: `with_margin` adds it. None if
            it is unknown: then there is plain C alone.
        decision: what the scores lead to, window after window, or None.
        arenas: the same of each of several models, in the product's order; () of one model.
        arena_how: one sentence on the measurement, with the ABI it was made on.
        front_end: coefficients from samples to windows, or None where the model takes raw arrays.
        golden: vectors to ship, or None.
        pixels: how 8-bit pixels become the model's inputs, or None of a model that takes no images.
        synthetic: the model was trained on generated recordings; every file then says so.
        generator: name and version of what writes, e.g. 'kd-edge 0.1.0'.
        personal: a wearer's last layer can take the built one's place while the firmware runs;
            plain C alone.
        golden_count: at most so many vectors go into the C sources, the first ones.
    """

    name: str
    labels: tuple[str, ...]
    arena_bytes: int | None
    arena_how: str
    front_end: FrontEndConstants | None
    golden: Golden | None
    synthetic: bool
    generator: str
    golden_count: int = 8
    arenas: tuple[int, ...] = ()
    decision: DecisionRule | None = None
    personal: bool = False
    pixels: PixelInput | None = None


# A quarter and 1 KiB: an interpreter measured on x86-64 with reference kernels keeps no scratch
# buffers, while CMSIS-NN's took a tenth more on a Cortex-M4 (sign students with LSTM).
MARGIN_WORDS = "a quarter and 1024 bytes added for another ABI and CMSIS-NN's scratch buffers"


def with_margin(measured_bytes: int) -> int:
    """The arena to reserve: a quarter and 1024 bytes over the measured one, a multiple of 16."""
    wanted = measured_bytes + -(-measured_bytes // 4) + 1024
    return -(-wanted // ARENA_ALIGNMENT) * ARENA_ALIGNMENT
