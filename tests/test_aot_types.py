"""The table of types beside TFLite Micro's interpreter, which is the oracle of every row."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from aot_harness import check_exact
from aot_type_models import FORMS, WEIGHTS, add_operator, typed_model, types_of
from tflite_samples import GraphBuilder
from waiting import BOUND_S

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.lower import LOWERINGS
from firmware_export.aot.operator_table import OPERATORS
from kd_edge.base.errors import KdEdgeError

_CHILD = Path(__file__).resolve().parent / "aot_type_models.py"
_ALL = ("float32", "int8", "uint8", "int16", "int32", "int64", "bool")
_CHANGES_TYPE = ("QUANTIZE", "DEQUANTIZE", "ARG_MAX", "SOFTMAX")
# Beside the rows: what TFLite Micro looks at before it computes. Types of biases it often does not.
_REFUSED = {
    "CONV_2D": (
        "uint8 uint8 int32 -> uint8",
        "int16 int4 int64 -> int16",
        "int8 int16 int32 -> int8",
    ),
    "DEPTHWISE_CONV_2D": ("int16 int4 int64 -> int16", "float32 int8 float32 -> float32"),
    "FULLY_CONNECTED": ("int16 int4 int64 -> int16", "float32 int8 float32 -> float32"),
    "TRANSPOSE_CONV": ("int4 int8 int32 -> int8", "uint8 uint8 int32 -> uint8"),
    "SVDF": ("int16 int8 int16 int32 int16 -> int16", "int8 int4 int8 int32 int8 -> int8"),
}
_ROWS = [
    (op, row) for op, facts in OPERATORS.items() for row in facts.types.computed if op in FORMS
]


def signatures(op: str) -> list[str]:
    """What the interpreter is asked about: all rows, and what might be one."""
    asked = list(OPERATORS[op].types.tflm)
    if op in FORMS and not any(given[0] == WEIGHTS for given in _typed(op)):
        asked += _ALL
    if op in _CHANGES_TYPE:
        asked += [f"{a} -> {b}" for a, b in itertools.permutations(_ALL, 2)]
    return list(dict.fromkeys([*asked, *_REFUSED.get(op, ())]))


def _typed(op: str) -> list[tuple]:
    return [given for given in FORMS[op].inputs if isinstance(given, tuple)]


def test_tflite_micro_takes_every_type_of_the_table_and_no_other():
    asked = [(op, signature) for op in OPERATORS for signature in signatures(op)]
    lines = "".join(f"{op} {signature}\n" for op, signature in asked)
    done = subprocess.run(
        [sys.executable, _CHILD],
        input=lines,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    answers = done.stdout.split()
    assert len(answers) == len(asked), f"it ended at {asked[len(answers)]}: {done.stderr[-500:]}"
    taken = {one for one, answer in zip(asked, answers, strict=True) if answer == "1"}
    assert taken == {(op, row) for op in OPERATORS for row in OPERATORS[op].types.tflm}


def test_the_table_has_every_operator_of_the_engine():
    assert set(OPERATORS) == set(LOWERINGS)
    assert set(LOWERINGS) - set(FORMS) == {"UNIDIRECTIONAL_SEQUENCE_LSTM"}  # built elsewhere


def rows_model(rows) -> bytes:
    """One model of all these operators, each with inputs and outputs of its own."""
    graph = GraphBuilder()
    inputs, outputs = [], []
    for seed, (op, row) in enumerate(rows):
        more_in, more_out = add_operator(graph, op, types_of(op, row), seed)
        inputs += more_in
        outputs += more_out
    return graph.content(inputs, outputs)


def test_every_row_that_the_engine_computes_is_exact():
    # Ten at a time: a model of all of them takes long to place in memory.
    check_exact([rows_model(_ROWS[i : i + 10]) for i in range(0, len(_ROWS), 10)], n_windows=4)


@pytest.mark.parametrize(
    ("op", "signature", "says", "hint"),
    [
        (
            "ADD",
            "float32",
            "works on float32; the plain-C engine has it for int8, int16",
            "builds it",
        ),
        ("ADD", "uint8", "works on uint8", "TFLite Micro has it for int8, int16, float32"),
        ("CONV_2D", "uint8 int8 int32 -> uint8", "(int8 int4 int32 -> int8)", "has it for"),
        ("MUL", "int32", "works on int32", "builds it"),
        ("QUANTIZE", "float32 -> uint8", "works on float32 -> uint8", "(float32 -> int8)"),
    ],
)
def test_a_refusal_says_what_the_table_says(op, signature, says, hint):
    with pytest.raises(KdEdgeError) as caught:
        compile_model(typed_model(op, signature), CompileSettings())
    assert caught.value.code == "KD_UNSUPPORTED_OP"
    assert says in caught.value.message
    assert hint in caught.value.hint
