"""Which buffer lies where in the arena and when, with names that people know."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_export.aot.compiler import Compiled
from firmware_export.aot.graph import Graph
from firmware_export.aot.schedule import BufferKey, TensorKey, first_result, item_calls


@dataclass(frozen=True)
class MapEntry:
    """One buffer of the arena.

    Attributes:
        name: of the tensor, or what it is for; the tensors that share its memory behind it.
        kind: 'input', 'output', 'activation', 'scratch' or 'state'.
        offset_bytes: from the arena's start.
        first, last: moments in which it is in use, both included; 0 is before the first call, n
            is the n-th call, and one more than the calls is after the last.
    """

    name: str
    kind: str
    offset_bytes: int
    n_bytes: int
    first: int
    last: int


def memory_map(compiled: Compiled) -> tuple[MapEntry, ...]:
    """Every buffer, by its first moment and place."""
    plan = compiled.schedule
    names = _tensor_names(compiled.graph)
    kinds: dict[BufferKey, str] = {TensorKey(t.index): "input" for t in compiled.graph.inputs}
    kinds |= {TensorKey(index): "state" for index in compiled.graph.kept}
    for tensor in compiled.graph.outputs:
        view = plan.views.get(tensor.index)
        kinds.setdefault(TensorKey(view.base if view else tensor.index), "output")
    places = {
        (call.kernel, first_result(call).index): call.place for call in item_calls(plan.items)
    }

    def name(key: BufferKey) -> str:
        if isinstance(key, TensorKey):
            return names.get(key.index) or str(key)
        return f"{key.own.value} of {places[key.kernel, key.result]}"

    guests: dict[BufferKey, list[BufferKey]] = {}
    for key, host in plan.shared.items():
        guests.setdefault(host, []).append(key)
    entries = []
    for buffer in plan.buffers:
        keys = [buffer.key, *guests.get(buffer.key, ())]
        own = "activation" if isinstance(buffer.key, TensorKey) else buffer.key.own.value
        entries.append(
            MapEntry(
                name=", then ".join(dict.fromkeys(map(name, keys))),
                kind=next((kinds[key] for key in keys if key in kinds), own),
                offset_bytes=plan.plan.offsets[buffer.key],
                n_bytes=buffer.n_bytes,
                first=buffer.first,
                last=buffer.last,
            )
        )
    return tuple(sorted(entries, key=lambda e: (e.first, e.offset_bytes, e.name)))


def _tensor_names(graph: Graph) -> dict[int, str]:
    tensors = [*graph.wholes, *graph.inputs, *graph.outputs]
    tensors += [t for n in graph.nodes() for t in (*n.inputs, *n.outputs) if t is not None]
    return {tensor.index: tensor.name for tensor in tensors}
