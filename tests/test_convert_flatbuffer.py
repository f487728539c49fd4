"""Reading TFLite bytes: a model made by hand, alignment, and bytes that lie."""

from __future__ import annotations

import os

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_samples import GraphBuilder

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import buffer_offsets, pack, read_tflite, unpack

WEIGHTS = np.arange(-6, 6, dtype=np.int8).reshape(3, 4)


def hand_made_model():
    """One int8 FULLY_CONNECTED (3 x 4 weights, a scale a row), as the schema's object."""

    def tensor(name, shape, kind, buffer, scales):
        quantisation = schema.QuantizationParametersT(
            scale=np.array(scales, np.float32), zeroPoint=np.zeros(len(scales), np.int64)
        )
        return schema.TensorT(
            name=name,
            shape=np.array(shape, np.int32),
            type=kind,
            buffer=buffer,
            quantization=quantisation,
        )

    int8 = schema.TensorType.INT8
    tensors = [
        tensor("x", (1, 4), int8, 0, [0.5]),
        tensor("w", (3, 4), int8, 1, [0.1, 0.2, 0.3]),
        tensor("b", (3,), schema.TensorType.INT32, 2, [0.05, 0.1, 0.15]),
        tensor("logits", (1, 3), int8, 0, [1.0]),
    ]
    operator = schema.OperatorT(
        opcodeIndex=0,
        inputs=np.array([0, 1, 2], np.int32),
        outputs=np.array([3], np.int32),
        builtinOptionsType=schema.BuiltinOptions.FullyConnectedOptions,
        builtinOptions=schema.FullyConnectedOptionsT(
            fusedActivationFunction=schema.ActivationFunctionType.RELU
        ),
    )
    graph = schema.SubGraphT(
        tensors=tensors,
        inputs=np.array([0], np.int32),
        outputs=np.array([3], np.int32),
        operators=[operator],
        name="main",
    )
    code = schema.OperatorCodeT(
        deprecatedBuiltinCode=9, builtinCode=schema.BuiltinOperator.FULLY_CONNECTED, version=4
    )
    buffers = [
        schema.BufferT(),
        schema.BufferT(data=WEIGHTS.view(np.uint8).ravel()),
        schema.BufferT(data=np.array([1, 2, 3], np.int32).view(np.uint8)),
    ]
    return schema.ModelT(version=3, operatorCodes=[code], subgraphs=[graph], buffers=buffers)


CONTENT = pack(hand_made_model())


def code_of(content) -> str:
    with pytest.raises(KdEdgeError) as caught:
        read_tflite(content)
    return caught.value.code


def read_or_none(content: bytes):
    """The model, or None for bytes that were refused; any other exception fails the test."""
    try:
        return read_tflite(content)
    except KdEdgeError as error:
        if error.code != "KD_BAD_TFLITE":
            raise
        return None


def test_the_typed_graph_says_what_was_written():
    """Oracle: the model made by hand above."""
    model = read_tflite(CONTENT)
    assert (model.inputs, model.outputs, model.n_bytes) == ((0,), (3,), len(CONTENT))
    weights, bias = model.tensors[1], model.tensors[2]
    assert np.array_equal(weights.data, WEIGHTS)
    assert weights.scales == tuple(np.float32([0.1, 0.2, 0.3]).tolist())
    assert (weights.zero_points, weights.quantized_axis) == ((0, 0, 0), 0)
    assert (bias.dtype, bias.data.tolist()) == ("int32", [1, 2, 3])
    (operator,) = model.operators
    assert (operator.name, operator.inputs, operator.outputs) == (
        "FULLY_CONNECTED",
        (0, 1, 2),
        (3,),
    )
    assert operator.options["fused_activation_function"] == "RELU"


def test_constants_cannot_be_written_to():
    """Oracle: NumPy's own refusal."""
    with pytest.raises(ValueError, match="read-only"):
        read_tflite(CONTENT).tensors[1].data[0, 0] = 1


def test_every_buffer_stands_at_a_multiple_of_sixteen():
    """Oracle: the bytes at the stated offsets are the constants."""
    weights_at, bias_at = buffer_offsets(CONTENT)
    assert weights_at % 16 == 0
    assert bias_at % 16 == 0
    assert CONTENT[weights_at : weights_at + 12] == WEIGHTS.tobytes()


def test_zero_points_that_are_alike_stand_once_and_others_apart():
    """Oracle: eight bytes each; the typed graph."""
    model = hand_made_model()
    given = model.subgraphs[0].tensors[2].quantization
    given.zeroPoint = np.array([0, 5, 0], np.int64)
    apart = pack(model)
    assert read_tflite(apart).tensors[2].zero_points == (0, 5, 0)
    assert read_tflite(apart).tensors[1].zero_points == (0, 0, 0)
    assert 24 <= len(apart) - len(CONTENT) <= 24 + 16


def test_packing_what_was_unpacked_gives_the_same_bytes():
    """Oracle: the identity."""
    assert pack(unpack(CONTENT)) == CONTENT


def test_bytes_that_were_read_are_not_read_again(tmp_path):
    """Oracle: the same graph for the same bytes, wherever they lie; another for others."""
    path, content = tmp_path / "m.tflite", pack(hand_made_model())
    path.write_bytes(content)
    assert read_tflite(path) is read_tflite(content)
    changed = hand_made_model()
    changed.subgraphs[0].tensors[0].name = "y"
    path.write_bytes(pack(changed))
    assert read_tflite(path).tensors[0].name == "y"


def test_a_missing_file_is_named(tmp_path):
    """Oracle: the error table."""
    assert code_of(tmp_path / "none.tflite") == "KD_NO_FILE"


def test_other_files_are_not_taken_for_models():
    """Oracle: the identifier in the schema."""
    assert code_of(b"") == "KD_BAD_TFLITE"
    assert code_of(b"PK\x03\x04" * 10) == "KD_BAD_TFLITE"
    assert code_of(CONTENT[:4] + b"TFL2" + CONTENT[8:]) == "KD_BAD_TFLITE"


@pytest.mark.parametrize("cut", [8, 16, 40, len(CONTENT) // 2, len(CONTENT) - 8])
def test_a_cut_file_is_refused(cut):
    """Oracle: none of these prefixes holds the whole graph (constants stand at the end)."""
    assert code_of(CONTENT[:cut]) == "KD_BAD_TFLITE"


def edited(change) -> bytes:
    model = hand_made_model()
    change(model)
    return pack(model)


def set_tensor(index, **fields):
    def change(model):
        for name, value in fields.items():
            setattr(model.subgraphs[0].tensors[index], name, value)

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_tensor(1, buffer=7),
        set_tensor(1, shape=np.array([3, 5], np.int32)),
        set_tensor(0, shape=np.array([-1, 4], np.int32)),
        lambda model: setattr(model.subgraphs[0].operators[0], "opcodeIndex", 3),
        lambda model: setattr(
            model.subgraphs[0].operators[0], "inputs", np.array([0, 9, 2], np.int32)
        ),
        lambda model: setattr(model.subgraphs[0], "outputs", np.array([-1], np.int32)),
        lambda model: setattr(model, "subgraphs", []),
        lambda model: setattr(
            model.subgraphs[0].tensors[1].quantization, "scale", np.array([np.nan] * 3, np.float32)
        ),
        lambda model: setattr(model.subgraphs[0].tensors[1].quantization, "quantizedDimension", 1),
    ],
)
def test_a_graph_that_contradicts_itself_is_refused(change):
    """Oracle: each change breaks one rule of the schema."""
    assert code_of(edited(change)) == "KD_BAD_TFLITE"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"temp\xb0C", r"temp\xb0C"),
        ("größe".encode(), "größe"),
        (b"a\nb\x1b[31m", r"a\nb\x1b[31m"),
        ("\u202eevil".encode(), r"\u202eevil"),
        (b"", ""),
    ],
)
def test_a_name_is_text_on_one_line_with_the_rest_escaped(name, shown):
    """Oracle: Python's own escapes."""
    assert read_tflite(edited(set_tensor(0, name=name))).tensors[0].name == shown


def test_types_and_operators_beyond_the_schema_keep_their_numbers():
    """Oracle: the numbers written."""
    assert read_tflite(edited(set_tensor(0, type=99))).tensors[0].dtype == "type 99"

    def change(model):
        model.operatorCodes[0].builtinCode = 999

    assert read_tflite(edited(change)).operators[0].name == "OPERATOR_999"


def test_a_constant_that_is_not_read_says_why():
    """Oracle: the type and the sparsity written."""
    words = read_tflite(edited(set_tensor(1, type=schema.TensorType.STRING))).tensors[1]
    assert (words.data, words.unreadable) == (None, "is of type string")
    sparse = read_tflite(edited(set_tensor(1, sparsity=schema.SparsityParametersT()))).tensors[1]
    assert (sparse.data, sparse.unreadable) == (None, "is stored sparse")
    assert read_tflite(CONTENT).tensors[1].unreadable is None


def test_int4_constants_are_unpacked_the_lower_half_of_a_byte_first():
    """Oracle: the bytes written; the half behind an odd last value is not one."""
    graph = GraphBuilder()
    weights = graph.constant_int4("w", np.array([[-8, 7, 0], [1, -1, 5]]), scale=0.1)
    odd = graph.constant_int4("o", np.array([-3, 2, 6]), scale=0.1)
    tensors = read_tflite(graph.content((), ())).tensors
    assert tensors[weights].data.tolist() == [[-8, 7, 0], [1, -1, 5]]
    assert tensors[odd].data.tolist() == [-3, 2, 6]
    assert {tensors[i].dtype for i in (weights, odd)} == {"int4"}


def test_the_scales_of_a_list_go_along_its_one_axis_whatever_the_file_says():
    """Oracle: converters of 2020 wrote axis 3 for biases."""

    def change(model):
        model.subgraphs[0].tensors[2].quantization.quantizedDimension = 3

    assert read_tflite(edited(change)).tensors[2].quantized_axis == 0


@settings(max_examples=300, deadline=None)
@given(
    flips=st.lists(
        st.tuples(st.integers(0, len(CONTENT) - 1), st.integers(0, 255)), min_size=1, max_size=8
    ),
    cut=st.integers(8, len(CONTENT)),
)
def test_altered_bytes_give_a_model_or_the_one_error(flips, cut):
    """Oracle: no other exception comes out, and what is read is consistent."""
    content = bytearray(CONTENT)
    for position, value in flips:
        content[position] = value
    model = read_or_none(bytes(content[:cut]))
    if model is not None:
        assert all(-1 <= i < len(model.tensors) for op in model.operators for i in op.inputs)


@settings(max_examples=200, deadline=None)
@given(tail=st.binary(max_size=200))
def test_random_bytes_behind_the_identifier_never_escape(tail):
    """Oracle: the one error, or a model that was read whole."""
    read_or_none(b"\x10\x00\x00\x00TFL3" + tail)


def test_a_pipe_in_place_of_a_model_is_refused_at_once(tmp_path):
    """Oracle: nobody writes into it, so that reading it would never end."""
    os.mkfifo(tmp_path / "m.tflite")
    for path in (tmp_path / "m.tflite", tmp_path):
        with pytest.raises(KdEdgeError, match="no regular file") as caught:
            read_tflite(path)
        assert caught.value.code == "KD_NO_FILE"
