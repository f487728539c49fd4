"""Bounds on what a `.tflite` file makes its reader do; the oracle is counting by hand."""

from __future__ import annotations

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from kd_edge.base import flatbuffer, reach
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import IDENTIFIER, read_tflite


def numbers(builder, start, values) -> int:
    start(builder, len(values))
    for value in reversed(values):
        builder.PrependInt32(value)
    return builder.EndVector()


def offsets(builder, start, values) -> int:
    start(builder, len(values))
    for value in reversed(values):
        builder.PrependUOffsetTRelative(value)
    return builder.EndVector()


def model_of(builder, tensors, operators=()) -> bytes:
    tensors = offsets(builder, schema.SubGraphStartTensorsVector, tensors)
    operators = offsets(builder, schema.SubGraphStartOperatorsVector, operators)
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    schema.SubGraphAddOperators(builder, operators)
    subgraphs = offsets(builder, schema.ModelStartSubgraphsVector, [schema.SubGraphEnd(builder)])
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, subgraphs)
    builder.Finish(schema.ModelEnd(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def tensor(builder, *, name=None, shape=None) -> int:
    schema.TensorStart(builder)
    if name is not None:
        schema.TensorAddName(builder, name)
    if shape is not None:
        schema.TensorAddShape(builder, shape)
    return schema.TensorEnd(builder)


def one_shape_for_all(count: int) -> bytes:
    builder = flatbuffers.Builder()
    shape = numbers(builder, schema.TensorStartShapeVector, [1] * count)
    return model_of(builder, [tensor(builder, shape=shape) for _ in range(count)])


def one_name_for_all(count: int) -> bytes:
    builder = flatbuffers.Builder()
    name = builder.CreateString("x" * 4 * count)
    return model_of(builder, [tensor(builder, name=name) for _ in range(count)])


def one_tensor_for_all(count: int) -> bytes:
    builder = flatbuffers.Builder()
    name = builder.CreateString("x" * count)
    return model_of(builder, [tensor(builder, name=name)] * count)


def one_list_of_inputs_for_all(count: int) -> bytes:
    builder = flatbuffers.Builder()
    inputs = numbers(builder, schema.OperatorStartInputsVector, [0] * count)
    operators = []
    for _ in range(count):
        schema.OperatorStart(builder)
        schema.OperatorAddInputs(builder, inputs)
        operators.append(schema.OperatorEnd(builder))
    return model_of(builder, [tensor(builder)], operators)


def one_shape_in_options_for_all(count: int) -> bytes:
    builder = flatbuffers.Builder()
    shape = numbers(builder, schema.ReshapeOptionsStartNewShapeVector, [1] * count)
    operators = []
    for _ in range(count):
        schema.ReshapeOptionsStart(builder)
        schema.ReshapeOptionsAddNewShape(builder, shape)
        options = schema.ReshapeOptionsEnd(builder)
        schema.OperatorStart(builder)
        schema.OperatorAddBuiltinOptionsType(builder, schema.BuiltinOptions.ReshapeOptions)
        schema.OperatorAddBuiltinOptions(builder, options)
        operators.append(schema.OperatorEnd(builder))
    return model_of(builder, [tensor(builder)], operators)


def refused(content: bytes) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        read_tflite(content)
    assert caught.value.code == "KD_BAD_TFLITE"
    return caught.value


@pytest.mark.parametrize(
    "hostile",
    [
        one_shape_for_all,
        one_name_for_all,
        one_tensor_for_all,
        one_list_of_inputs_for_all,
        one_shape_in_options_for_all,
    ],
)
def test_a_file_that_names_one_place_many_times_is_refused_unread(hostile):
    content = hostile(400)
    assert len(content) < 40_000
    assert "not a plain tree" in refused(content).message


@pytest.mark.parametrize("count", [1, 20, 400])
def test_the_walk_stops_within_twice_the_file(count):
    """Each step of the walk takes from a budget, so that the budget bounds the steps."""
    content = one_list_of_inputs_for_all(count)
    walk = reach._Walk(2 * len(content))
    try:
        walk.table(schema.Model.GetRootAs(content, 0))
    except KdEdgeError:
        assert count == 400
    assert walk.n_tables <= 2 * len(content) / 8


def test_too_many_tables_are_refused(monkeypatch):
    monkeypatch.setattr(reach, "MAX_TABLES", 50)
    builder = flatbuffers.Builder()
    content = model_of(builder, [tensor(builder) for _ in range(60)])
    assert "more than 50 tables" in refused(content).message


def test_a_file_beyond_every_model_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(flatbuffer, "MAX_FILE_BYTES", 1 << 20)
    path = tmp_path / "huge.tflite"
    path.write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(KdEdgeError, match="more than 1 MiB") as caught:
        read_tflite(path)
    assert caught.value.code == "KD_BAD_TFLITE"


def test_every_union_of_the_schema_is_known_to_the_walk():
    """Oracle: the generated classes; a field is a union where another one names its type."""
    unions = {
        name
        for kind in vars(schema).values()
        if isinstance(kind, type) and hasattr(kind, "Init")
        for name in reach._fields(kind)[1]
        if f"{name}Type" in reach._fields(kind)[1]
    }
    assert unions == set(reach.UNIONS)
    assert all(hasattr(schema, name) for name in reach.UNIONS.values())
