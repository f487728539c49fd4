"""How a model becomes C: what the compiler is told, and the names that it may be given."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
        generator: name and version in the banner.
        first_layer: number of its first layer where several models are timed together.
        label: before its layers' names there.
    """

    core: str = HOST.name
    prefix: str = "kd_model"
    carry_state: bool = False
    keep_inputs: bool = False
    stream: bool = False
    generator: str = "kd-edge"
    first_layer: int = 0
    label: str = ""


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


def _bad(prefix: str, why: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_USAGE",
        f"the prefix {prefix!r} {why}",
        hint="name another one, such as kd_model",
    )
