"""A TFLite Micro op resolver with exactly the operators that a model uses."""

from __future__ import annotations

from firmware_export.operators import ADD_METHODS, INT8_KERNELS
from firmware_export.render import Files, Renderer
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import Operator, TfliteModel

# They run another subgraph, whose operators the main one does not show. A fused LSTM needs none.
CONTROL_FLOW = frozenset({"CALL_ONCE", "IF", "WHILE"})
_RESOLVER_HEADER = "tensorflow/lite/micro/micro_mutable_op_resolver.h"


def resolver_files(render: Renderer, *models: TfliteModel) -> Files:
    """kd_op_resolver.h with the operators of one or several models.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: TFLite Micro has no such operator.
    """
    used = {model: operator_names(model) for model in models}
    names = tuple(sorted({name for each in used.values() for name in each}))
    int8 = tuple(
        name
        for name in names
        if all(runs_in_int8(model, name) for model, own in used.items() if name in own)
    )
    # The resolver's header first: unidirectional_sequence_lstm.h does not stand alone.
    headers = [_RESOLVER_HEADER, *sorted({INT8_KERNELS[name].header for name in int8})]
    return {
        "kd_op_resolver.h": render(
            "kd_op_resolver.h",
            headers=headers,
            calls=[_call(name, int8=name in int8) for name in names],
            has_int8=bool(int8),
        ),
    }


def operator_names(model: TfliteModel) -> tuple[str, ...]:
    """The operators used, each once, sorted.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: TFLite Micro has no such operator, or it runs a subgraph.
    """
    for operator in model.operators:
        if operator.name in CONTROL_FLOW:
            raise KdEdgeError(
                "KD_UNSUPPORTED_OP",
                f"{operator.name} runs another subgraph, which the export does not read",
                where=f"operator {operator.index} of the model",
                hint="convert the model with `kd-edge build`, which fuses recurrent layers",
            )
        if operator.name not in ADD_METHODS:
            raise KdEdgeError(
                "KD_UNSUPPORTED_OP",
                f"TFLite Micro has no operator {operator.name}",
                where=f"operator {operator.index} of the model",
                hint="build the student of layers that convert to TFLite Micro's operators",
            )
    return tuple(sorted({operator.name for operator in model.operators}))


def runs_in_int8(model: TfliteModel, name: str) -> bool:
    """Whether TFLite Micro has an INT8-only kernel that takes every use of this operator here."""
    kernel = INT8_KERNELS.get(name)
    if kernel is None:
        return False
    uses = [operator for operator in model.operators if operator.name == name]
    return all(_is_int8(model, operator, kernel.int8_inputs) for operator in uses)


def _is_int8(model: TfliteModel, operator: Operator, inputs: tuple[int, ...]) -> bool:
    tensors = [operator.outputs[0], *(operator.inputs[index] for index in inputs)]
    return all(model.tensors[index].dtype == "int8" for index in tensors)


def _call(name: str, *, int8: bool) -> str:
    argument = f"tflite::{INT8_KERNELS[name].registration}()" if int8 else ""
    return f"{ADD_METHODS[name]}({argument})"
