"""The calls that move what is kept from hop to hop to the front."""

from __future__ import annotations

from firmware_export.aot.graph import Graph, Kept
from firmware_export.aot.program import Call
from kd_edge.base.flatbuffer import Tensor


def shifts(graph: Graph, *, entering: bool) -> tuple[Call, ...]:
    """Those of the model's inputs, which end a hop; or those of the others, which begin it."""
    tensors = {tensor.index: tensor for tensor in graph.wholes}
    return tuple(
        _shift(tensors[index], kept)
        for index, kept in graph.kept.items()
        if kept.entering == entering
    )


def _shift(tensor: Tensor, kept: Kept) -> Call:
    return Call(
        kernel="kd_shift",
        params={
            "first": kept.first_byte,
            "by": kept.moved_bytes,
            "n_bytes": kept.end_byte - kept.first_byte,
        },
        args=(tensor, tensor),
        writes=(1,),
        in_place=((0, 1),),
        place=f"kept columns of tensor {tensor.index}",
    )
