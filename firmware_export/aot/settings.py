"""How a model becomes C: what the compiler is told, and the names that it may be given."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from firmware_export.aot.cores import HOST
from firmware_export.aot.kernels import kernel_names
from kd_edge.base.errors import KdEdgeError

_FORM = re.compile(r"[a-z][a-z0-9_]{0,31}")
# Headers that sources include by name: a file of ours must not stand in their place.
_HEADERS = frozenset({"stdint", "stddef", "stdbool", "string", "arm_acle", "arm_mve", "limits"})


@dataclass(frozen=True)
class CompileSettings:
    """How a model becomes C.

    Attributes:
        core: name of the core whose kernels and weight layout are used.
        prefix: of the files and of every name that a linker sees.
        carry_state: an LSTM's state lives on from window to window until `<prefix>_reset`;
            otherwise each window starts fresh and state shares memory with activations.
        keep_inputs: the inputs are still there after the model has run.
        stream: the window arrives step by step, and the inputs hold one step.
        hop: share of the window that is new at each step; the inputs hold that, convolutions keep
            what they have computed, and after each step there is an answer for the window. None
            for whole windows.
        bands: the first convolutions run in bands of rows where that takes less memory; rows
            where bands overlap are computed again, a tenth of all products at most. None: only
            in arenas from 32 KiB that shrink by a tenth for one per cent more products.
        generator: name and version in the banner.
        first_layer: number of its first layer where several models are timed together.
        label: before its layers' names there.
        head: `<prefix>_set_head` replaces the last dense layer while the program runs.
    """

    core: str = HOST.name
    prefix: str = "kd_model"
    carry_state: bool = False
    keep_inputs: bool = False
    stream: bool = False
    hop: Fraction | None = None
    bands: bool | None = None
    generator: str = "kd-edge"
    first_layer: int = 0
    label: str = ""
    head: bool = False

    @property
    def by_steps(self) -> bool:
        """Whether the inputs hold one step, and `<prefix>_step` takes it."""
        return self.stream or self.hop is not None

    @property
    def hops(self) -> int:
        """Steps until a whole window is there; 0 without a hop."""
        return 0 if self.hop is None else math.ceil(1 / self.hop)

    def layer_name(self, place: str, kernel: str) -> str:
        """What the image calls a layer where it is timed."""
        return f"{self.label}{place} {kernel}"


def check_prefix(prefix: str) -> None:
    """Refuse a prefix that C, the file system or a kernel could take for something else.

    Raises:
        KdEdgeError KD_USAGE: saying which.
    """
    if not _FORM.fullmatch(prefix):
        raise _bad(prefix, "is no lower-case C name of at most 32 characters")
    if prefix in _HEADERS:
        raise _bad(prefix, f"would put {prefix}.h in the place of a standard header")
    if prefix in kernel_names():
        raise _bad(prefix, "is the name of a kernel's file")


def check_mode(settings: CompileSettings) -> None:
    """Refuse settings that exclude each other.

    Raises:
        KdEdgeError KD_USAGE: saying which.
    """
    others = {
        "stream": settings.stream,
        "carry_state": settings.carry_state,
        "keep_inputs": settings.keep_inputs,
        "bands": settings.bands,
    }
    for name, given in others.items():
        if settings.hop is not None and given:
            raise KdEdgeError(
                "KD_USAGE",
                f"the settings hop and {name} exclude each other",
                hint="a model with a hop takes what is new in the window, and keeps what it needs",
            )


def _bad(prefix: str, why: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_USAGE",
        f"the prefix {prefix!r} {why}",
        hint="name another one, such as kd_model",
    )
