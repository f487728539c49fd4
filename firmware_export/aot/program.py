"""What the generated C does: calls of kernels on tensors, scratch and state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kd_edge.base.flatbuffer import Tensor


@dataclass(frozen=True)
class Scratch:
    """Memory that a call needs while it runs, of no use afterwards; its address is 8-aligned."""

    n_bytes: int


@dataclass(frozen=True)
class State:
    """Memory that outlives a step (LSTM); `fill` is the byte that each reset writes; 8-aligned."""

    n_bytes: int
    fill: int


# What a kernel takes after its parameters; a constant tensor becomes a constant array.
Arg = Tensor | Scratch | State


@dataclass(frozen=True, eq=False)
class Call:
    """`kernel(&params, args...)`.

    Attributes:
        kernel: C function `kd_…`; header `kd_….h`; its parameters' type is `kd_…_params`.
        params: members of its parameters by name: int, float, a constant array (written once per
            content, its C type from its dtype), a mapping for a nested structure, None for NULL.
        args: pointers it is given, in order.
        writes: positions in `args` that it writes (scratch and state need not be named).
        in_place: (read position, written position) that may be the very same memory.
        macs: multiply-accumulates it performs, 0 where it has none.
        note: what a reader of the generated C wants to know, on one line.
        place: of the operator that it computes; the compiler fills it in.
        replaceable: arrays of its parameters that others can take the place of at run time.
    """

    kernel: str
    params: Mapping[str, object]
    args: tuple[Arg, ...]
    writes: tuple[int, ...]
    in_place: tuple[tuple[int, int], ...] = ()
    macs: int = 0
    note: str = ""
    place: str = ""
    replaceable: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class StepCalls:
    """Calls made once for each step."""

    steps: int
    calls: tuple[Call, ...]
