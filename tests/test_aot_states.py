"""LSTM states that something else uses: TFLite Micro's answer or a refusal by name."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema
from aot_harness import check_exact
from aot_matrix_models import LstmCase, lstm_model
from aot_wide_models import widened

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.lower.lstm_form import CELL, HIDDEN
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import pack, unpack

CASES = Path(__file__).parent / "cases"
NARROW = lstm_model(LstmCase(n_input=4, units=5, gain=0.05))
MODELS = {"int8": NARROW, "int16x8": widened(NARROW)}
STATES = {"hidden": HIDDEN, "cell": CELL}
Change = Callable[[object, int], None]


def edited(content: bytes, position: int, change: Change) -> bytes:
    """The model with something done to the state at that position of its LSTM."""
    model = unpack(content)
    change(model, int(model.subgraphs[0].operators[0].inputs[position]))
    return pack(model)


def refusal(content: bytes, **settings) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        compile_model(content, CompileSettings(**settings))
    return caught.value


def is_an_output(model, state: int) -> None:
    model.subgraphs[0].outputs = [*map(int, model.subgraphs[0].outputs), state]


def is_the_only_output(model, state: int) -> None:
    model.subgraphs[0].outputs = [state]


def is_an_input(model, state: int) -> None:
    model.subgraphs[0].inputs = [*map(int, model.subgraphs[0].inputs), state]


def _reshape(model, source: int, *, before: bool, name: str) -> None:
    """RESHAPE of one tensor to a new output of the model, before the LSTM or behind it."""
    graph = model.subgraphs[0]
    result = deepcopy(graph.tensors[source])
    result.name, result.isVariable, result.buffer = name, False, 0
    graph.tensors.append(result)
    code = schema.OperatorCodeT(
        builtinCode=schema.BuiltinOperator.RESHAPE,
        deprecatedBuiltinCode=schema.BuiltinOperator.RESHAPE,
    )
    model.operatorCodes.append(code)
    operator = schema.OperatorT(
        opcodeIndex=len(model.operatorCodes) - 1,
        inputs=[source],
        outputs=[len(graph.tensors) - 1],
    )
    graph.operators.insert(0 if before else len(graph.operators), operator)
    graph.outputs = [*map(int, graph.outputs), len(graph.tensors) - 1]


def is_read_before(model, state: int) -> None:
    _reshape(model, state, before=True, name="seen")


def is_read_behind(model, state: int) -> None:
    _reshape(model, state, before=False, name="seen")


def is_shared(model, state: int) -> None:
    """A second LSTM has this one state in common with the first, and its other one for itself."""
    graph = model.subgraphs[0]
    second = deepcopy(graph.operators[0])
    inputs = [int(i) for i in second.inputs]
    for position in (HIDDEN, CELL):
        if inputs[position] != state:
            graph.tensors.append(deepcopy(graph.tensors[inputs[position]]))
            inputs[position] = len(graph.tensors) - 1
    graph.tensors.append(deepcopy(graph.tensors[int(second.outputs[0])]))
    second.inputs, second.outputs = inputs, [len(graph.tensors) - 1]
    graph.operators.append(second)
    graph.outputs = [*map(int, graph.outputs), len(graph.tensors) - 1]


def is_the_sequence_of_another(model, state: int) -> None:
    """The state is what an LSTM runs over."""
    operator = model.subgraphs[0].operators[0]
    model.subgraphs[0].tensors[state].shape = [1, 1, 5]
    operator.inputs = [state, *map(int, operator.inputs[1:])]


def is_a_constant_too(model, state: int) -> None:
    tensor = model.subgraphs[0].tensors[state]
    n_bytes = 5 * (1 if tensor.type == schema.TensorType.INT8 else 2)
    model.buffers.append(schema.BufferT(data=[1] * n_bytes))
    tensor.buffer = len(model.buffers) - 1


CHANGES = [
    *(is_an_output, is_the_only_output, is_an_input, is_read_before, is_read_behind),
    *(is_shared, is_the_sequence_of_another, is_a_constant_too),
]


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_state_that_something_else_uses_is_refused_by_name(kind, state, change):
    """Oracle: TFLite Micro shows such readers the state; memory of the LSTM's own cannot."""
    error = refusal(edited(MODELS[kind], STATES[state], change))
    assert error.code == "KD_UNSUPPORTED_OP"
    assert f"('{state}')" in error.message
    assert error.where


@pytest.mark.parametrize("settings", [{"carry_state": True}, {"stream": True}, {"core": "m4"}])
def test_so_it_is_whatever_the_settings(settings):
    error = refusal(edited(NARROW, HIDDEN, is_an_output), **settings)
    assert "('hidden')" in error.message


def test_one_tensor_as_both_states_of_an_lstm_is_refused():
    def change(model, state):
        operator = model.subgraphs[0].operators[0]
        inputs = [int(i) for i in operator.inputs]
        inputs[HIDDEN] = state
        operator.inputs = inputs

    error = refusal(edited(MODELS["int16x8"], CELL, change))
    assert "tensor" in error.message
    assert "('cell')" in error.message


def test_an_operator_that_writes_a_state_is_refused_by_name():
    def change(model, state):
        _reshape(model, state, before=True, name="never")
        operator = model.subgraphs[0].operators[0]
        operator.inputs, operator.outputs = list(operator.outputs), list(operator.inputs)
        model.subgraphs[0].inputs = [*map(int, model.subgraphs[0].inputs), operator.inputs[0]]
        model.subgraphs[0].outputs = list(model.subgraphs[0].outputs)[:-1]

    error = refusal(edited(NARROW, HIDDEN, change))
    assert error.code == "KD_BAD_TFLITE"
    assert "('hidden')" in error.message


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("lstm_state_concat_state", "state"),
        ("lstm_state_lstm_h_to_fc", "h"),
        ("lstm_state_lstm_out_yh", "h"),
        ("lstm_state_shared_state", "ah"),
    ],
)
def test_the_small_files_with_shared_states_are_refused_by_name(name, tensor):
    error = refusal((CASES / f"{name}.tflite").read_bytes())
    assert error.code == "KD_UNSUPPORTED_OP"
    assert f"('{tensor}')" in error.message


@pytest.mark.parametrize("name", ["lstm_one_step_from_2x3", "lstm_one_step_to_8"])
def test_one_step_with_a_reshape_beside_it_answers_as_tflite_micro(name):
    check_exact([(CASES / f"{name}.tflite").read_bytes()])
