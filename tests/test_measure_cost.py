"""Size and operations, arena and latency of small models."""

from __future__ import annotations

import numpy as np
import pytest
from tflite_micro.python.tflite_micro import runtime as tflm
from tflite_samples import (
    GraphBuilder,
    conv_windows,
    options_of,
    write_conv_model,
    write_lstm_model,
)

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.measure.arena import measure_arena, parse_allocations
from kd_edge.measure.arena_child import smallest
from kd_edge.measure.latency import measure_latency
from kd_edge.measure.size import measure_size, operator_macs


@pytest.fixture(scope="module")
def int8_model(tmp_path_factory):
    return write_conv_model(tmp_path_factory.mktemp("model") / "conv.int8.tflite", quantised=True)


def test_size_splits_a_file_into_weights_and_the_rest(int8_model):
    """Oracle: weights counted by hand: int8 weights and int32 biases of four layers."""
    size = measure_size(int8_model)
    weights = [4 * 5 * 3 + 4 * 4, 3 * 4 + 4 * 4, 5 * 96 + 4 * 5, 5 * 2 + 4 * 5, 0]
    assert [layer.weight_bytes for layer in size.layers] == weights
    assert size.weight_bytes == sum(weights)
    assert size.file_bytes == int8_model.stat().st_size
    assert size.overhead_bytes == size.file_bytes - size.weight_bytes > 0


def test_multiply_accumulates_are_those_of_the_arithmetic(int8_model):
    """Oracle: worked by hand from the layers' shapes."""
    size = measure_size(int8_model)
    assert [(layer.operator, layer.macs) for layer in size.layers] == [
        ("CONV_2D", 4 * 6 * 4 * (5 * 3)),
        ("DEPTHWISE_CONV_2D", 4 * 6 * 4 * 3),
        ("FULLY_CONNECTED", 96 * 5),
        ("FULLY_CONNECTED", 2 * 5),
        ("ADD", 0),
    ]
    assert size.macs == 1440 + 288 + 480 + 10
    assert [layer.output_shape for layer in size.layers][:2] == [(1, 4, 6, 4), (1, 4, 6, 4)]


def test_an_lstm_counts_its_gates_at_every_step(tmp_path):
    """Oracle: 6 steps x 4 gates x (3 inputs + 4 units) x 4 units; then a dense layer 24 -> 3."""
    size = measure_size(write_lstm_model(tmp_path / "lstm.tflite"))
    assert [layer.macs for layer in size.layers] == [6 * 4 * (3 + 4) * 4, 24 * 3]
    assert size.layers[0].weight_bytes == 4 * (4 * 4 * (3 + 4) + 4 * 4)


def test_a_transposed_convolution_counts_from_its_input(tmp_path):
    """Oracle: every one of 3 x 3 x 2 input values meets 2 x 2 x 5 weights."""
    graph = GraphBuilder()
    shape = graph.constant("shape", np.array([1, 6, 6, 5], np.int32))
    weights = graph.constant("weights", np.ones((5, 2, 2, 2), np.float32))
    x = graph.tensor("x", (1, 3, 3, 2), "float32")
    y = graph.tensor("y", (1, 6, 6, 5), "float32")
    options = options_of("TransposeConvOptions", strideW=2, strideH=2)
    graph.operator("TRANSPOSE_CONV", (shape, weights, x), (y,), options)
    size = measure_size(graph.write(tmp_path / "transpose.tflite", (x,), (y,)))
    assert size.macs == 3 * 3 * 2 * 2 * 2 * 5


def test_unknown_operations_are_none_and_not_zero(tmp_path):
    """Oracle: the contract; ATAN2 stands for what kd-edge has no formula for."""
    graph = GraphBuilder()
    x, y, z = (graph.tensor(name, (1, 4), "float32") for name in "xyz")
    graph.operator("ATAN2", (x, x), (y,), options_of("ATan2Options"))
    graph.operator("LOGISTIC", (y,), (z,))
    path = graph.write(tmp_path / "atan2.tflite", (x,), (z,))
    size = measure_size(path)
    assert [layer.macs for layer in size.layers] == [None, 0]
    assert size.macs is None
    model = read_tflite(path)
    assert operator_macs(model, model.operators[0]) is None


def test_a_constant_that_two_layers_share_counts_once(tmp_path):
    """Oracle: one 4 x 4 float32 matrix."""
    graph = GraphBuilder()
    weights = graph.constant("weights", np.eye(4, dtype=np.float32))
    x, y, z = (graph.tensor(name, (1, 4), "float32") for name in "xyz")
    for source, target in ((x, y), (y, z)):
        options = options_of("FullyConnectedOptions")
        graph.operator("FULLY_CONNECTED", (source, weights, -1), (target,), options)
    size = measure_size(graph.write(tmp_path / "shared.tflite", (x,), (z,)))
    assert size.weight_bytes == 64
    assert size.macs == 32


def test_the_arena_is_the_recorder_s_and_runs_at_its_smallest(int8_model):
    """Oracle: TFLite Micro itself runs in `smallest_bytes`; sections add up to what it used."""
    arena = measure_arena(int8_model)
    assert sum(count for _, count in arena.sections) == arena.used_bytes
    assert 1000 < arena.used_bytes < 20_000
    assert arena.smallest_bytes % 16 == 0
    assert arena.smallest_bytes < 2 * arena.used_bytes
    assert arena.abi in arena.how
    interpreter = tflm.Interpreter.from_file(str(int8_model), arena_size=arena.smallest_bytes)
    interpreter.set_input(np.zeros((1, 4, 12, 3), np.int8), 0)
    interpreter.set_input(np.zeros((1, 2), np.int8), 1)
    interpreter.invoke()
    with pytest.raises(RuntimeError):
        tflm.Interpreter.from_file(str(int8_model), arena_size=arena.smallest_bytes - 16)
    assert arena == measure_arena(int8_model)


def test_a_model_that_tflite_micro_refuses_has_no_arena(tmp_path):
    """Oracle: the stable code of a missing file and of a file that is no model."""
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model")
    for path, code in ((tmp_path / "absent.tflite", "KD_NO_FILE"), (broken, "KD_BAD_TFLITE")):
        with pytest.raises(KdEdgeError) as caught:
            measure_arena(path)
        assert caught.value.code == code


def test_allocations_are_read_as_printed():
    """Oracle: lines as the pinned wheel prints them."""
    prefix = "[RecordingMicroAllocator] "
    text = "\n".join(
        prefix + line
        for line in (
            "Arena allocation total 2528 bytes",
            "Arena allocation head 304 bytes",
            "Arena allocation tail 2224 bytes",
            "'TfLiteEvalTensor data' used 360 bytes with alignment overhead "
            "(requested 360 bytes for 15 allocations)",
            "'Persistent buffer data' used 544 bytes with alignment overhead "
            "(requested 484 bytes for 13 allocations)",
        )
    )
    used, sections = parse_allocations(text)
    assert used == 2528
    assert sections == (
        ("head: activations and scratch", 304),
        ("TfLiteEvalTensor data", 360),
        ("Persistent buffer data", 544),
        ("interpreter and allocator", 1320),
    )
    with pytest.raises(ValueError, match="no account"):
        parse_allocations("Segmentation fault")


@pytest.mark.parametrize("need", [1, 16, 17, 3184, 99_999])
def test_bisection_finds_the_first_multiple_of_16_that_is_enough(need):
    """Oracle: arithmetic."""
    assert smallest(lambda size: size >= need, 100_000) == -(-need // 16) * 16


@pytest.mark.parametrize("runtime", ["litert", "tflm"])
def test_latency_is_a_distribution_of_the_runs_asked_for(runtime, int8_model):
    """Oracle: order of percentiles, and counts that add up; the times themselves are the host's."""
    latency = measure_latency(runtime, int8_model, conv_windows(8), n_runs=60, n_warmup=5)
    assert (latency.n_runs, latency.n_warmup, latency.threads) == (60, 5, 1)
    assert 0 < latency.p5_us <= latency.median_us <= latency.p95_us <= latency.p99_us
    assert sum(count for _, _, count in latency.histogram_us) == 60
    edges = [edge for low, high, _ in latency.histogram_us for edge in (low, high)]
    assert edges == sorted(edges)
    assert "cores" in latency.host


@pytest.mark.parametrize(("n", "n_runs", "code"), [(0, 5, "KD_EMPTY_PART"), (3, 0, "KD_USAGE")])
def test_latency_of_nothing_is_refused(n, n_runs, code, int8_model):
    """Oracle: the contract."""
    with pytest.raises(KdEdgeError) as caught:
        measure_latency("tflm", int8_model, conv_windows(n), n_runs=n_runs)
    assert caught.value.code == code
