"""LSTMs and dense layers with drawn sizes and quantisations, as bytes of `.tflite` files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from tflite_samples import GraphBuilder, options_of

_TANH = 4
_ABSENT = (-1,)
ZERO_POINTS = st.one_of(st.sampled_from([-128, 127, 0]), st.integers(-128, 127))
# How weights are drawn: the converter's range, its ends alone, and one beyond it.
WEIGHTS = {
    "any": lambda rng, shape: rng.integers(-127, 128, shape),
    "small": lambda rng, shape: rng.integers(-9, 10, shape),
    "ends": lambda rng, shape: rng.choice([-127, 127], shape),
    "largest": lambda rng, shape: np.full(shape, 127),
    "least": lambda rng, shape: np.full(shape, -128),
}


@dataclass(frozen=True)
class LstmCase:
    """One LSTM; `gain` is the scale of a product of input and weight in units of the gates."""

    n_input: int
    units: int
    steps: int = 3
    seed: int = 0
    weights: str = "any"
    gain: float = 0.01
    input_zero: int = 0
    hidden_zero: int = 0
    hidden_scale: float = 1 / 128
    cell_exponent: int = -12
    cell_clip: float = 0.0
    activation: int = _TANH


LSTM_CASES = st.builds(
    LstmCase,
    n_input=st.one_of(st.integers(1, 9), st.sampled_from([17, 50, 300])),
    units=st.one_of(st.integers(1, 9), st.sampled_from([16, 33])),
    seed=st.integers(0, 999),
    weights=st.sampled_from(sorted(WEIGHTS)),
    gain=st.sampled_from([1e-8, 2e-4, 3e-3, 0.02, 0.3, 0.5, 0.999, 1.0, 1.7, 30.0]),
    input_zero=ZERO_POINTS,
    hidden_zero=ZERO_POINTS,
    hidden_scale=st.sampled_from([2e-9, 1e-4, 1 / 256, 0.0067, 1 / 128, 0.3, 5.0]),
    cell_exponent=st.integers(-22, 0),
    cell_clip=st.sampled_from([0.0, 0.0, 1e-7, 0.7, 2.0, 10.0, 1e6]),
)


def lstm_model(case: LstmCase, *, absent: tuple[int, ...] = (), cell_scale: float | None = None):
    """The file's bytes.

    Args:
        absent: positions among the 24 inputs to be filled with a constant that has no place there.
        cell_scale: in place of the power of two.
    """
    rng = np.random.default_rng(case.seed)
    graph = GraphBuilder()
    input_scale = 1 / 64

    def weights(columns, scale):
        values = WEIGHTS[case.weights](rng, (case.units, columns)).astype(np.int8)
        return graph.constant("weights", values, scale=scale * rng.uniform(0.7, 1.0))

    x = graph.tensor(
        "x", (1, case.steps, case.n_input), scale=input_scale, zero_point=case.input_zero
    )
    per_unit = case.gain * 2.0**-12
    kernels = [weights(case.n_input, per_unit / input_scale) for _ in range(4)]
    recurrent = [weights(case.units, per_unit / case.hidden_scale) for _ in range(4)]
    biases = [
        graph.constant("bias", rng.integers(-3000, 3000, case.units, np.int32), scale=per_unit)
        for _ in range(4)
    ]
    quantised = {"scale": case.hidden_scale, "zero_point": case.hidden_zero}
    hidden = graph.tensor("hidden", (1, case.units), variable=True, **quantised)
    scale = cell_scale or 2.0**case.cell_exponent
    cell = graph.tensor("cell", (1, case.units), "int16", scale=scale, variable=True)
    sequence = graph.tensor("sequence", (1, case.steps, case.units), **quantised)
    inputs = [x, *kernels, *recurrent, *_ABSENT * 3, *biases, *_ABSENT * 2, hidden, cell]
    inputs += _ABSENT * 4
    for position in absent:
        inputs[position] = graph.constant("more", np.zeros(case.units, np.int16), scale=1.0)
    options = options_of(
        "UnidirectionalSequenceLSTMOptions",
        fusedActivationFunction=case.activation,
        cellClip=case.cell_clip,
    )
    graph.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, (sequence,), options, version=3)
    return graph.content((x,), (sequence,))


@dataclass(frozen=True)
class DenseCase:
    """One dense layer; `gain` is the scale of a product of input and weight in output steps."""

    columns: int
    rows: int
    batches: int = 1
    seed: int = 0
    weights: str = "any"
    gain: float = 0.01
    input_zero: int = 0
    output_zero: int = 0
    activation: int = 0
    by_row: bool = False
    bias: bool = True


DENSE_CASES = st.builds(
    DenseCase,
    columns=st.one_of(st.integers(1, 9), st.sampled_from([16, 33, 300])),
    rows=st.one_of(st.integers(1, 9), st.sampled_from([26])),
    batches=st.sampled_from([1, 1, 3]),
    seed=st.integers(0, 999),
    weights=st.sampled_from(sorted(WEIGHTS)),
    gain=st.sampled_from([1e-10, 1e-4, 3e-3, 0.3, 0.5, 1.0, 1.7, 30.0]),
    input_zero=ZERO_POINTS,
    output_zero=ZERO_POINTS,
    activation=st.sampled_from([0, 0, 1, 2, 3]),
    by_row=st.booleans(),
    bias=st.booleans(),
)


def dense_model(case: DenseCase, *, weights_zero: int = 0) -> bytes:
    """The file's bytes."""
    rng = np.random.default_rng(case.seed)
    graph = GraphBuilder()
    x_scale, y_scale = 1 / 64, 0.07
    x = graph.tensor("x", (case.batches, case.columns), scale=x_scale, zero_point=case.input_zero)
    scales = case.gain * y_scale / x_scale * rng.uniform(0.3, 1.0, case.rows if case.by_row else 1)
    values = WEIGHTS[case.weights](rng, (case.rows, case.columns)).astype(np.int8)
    weights = graph.constant("w", values, scale=scales, zero_point=weights_zero)
    bias = -1
    if case.bias:
        numbers = rng.integers(-3000, 3000, case.rows, np.int32)
        bias = graph.constant("b", numbers, scale=scales * x_scale)
    y = graph.tensor("y", (case.batches, case.rows), scale=y_scale, zero_point=case.output_zero)
    options = options_of("FullyConnectedOptions", fusedActivationFunction=case.activation)
    graph.operator("FULLY_CONNECTED", (x, weights, bias), (y,), options, version=4)
    return graph.content((x,), (y,))
