"""Broken and hostile files: an error that helps or compiled C, never anything else."""

from __future__ import annotations

import json
import resource
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from aot_fuzz import broken_bytes, broken_structure, image_model, lstm_model, odd_structure
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_samples import GraphBuilder, options_of, write_conv_model

from firmware_export.aot import reading
from firmware_export.aot.compiler import Compiled, CompileSettings, compile_model
from firmware_export.aot.operator_table import OPERATORS
from firmware_export.constants import read_ports
from firmware_export.op_resolver import operator_names
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import pack, read_tflite, unpack
from kd_edge.cli import run
from kd_edge.convert.lint import lint
from kd_edge.measure.size import measure_size

FILES = Path(__file__).parent / "cases"
CASES = 120
SLOW_CASES = 3000
CORES = ("host", "m4", "m55")


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, bytes]:
    conv = write_conv_model(tmp_path_factory.mktemp("conv") / "m.tflite", quantised=True)
    return {"conv": conv.read_bytes(), "image": image_model(), "lstm": lstm_model()}


@pytest.fixture(autouse=True)
def one_more_gigabyte():
    """A case that takes more than 1 GB ends in MemoryError, which is no KdEdgeError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 30), hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def outcome(content: bytes, core: str) -> Compiled | KdEdgeError:
    try:
        return compile_model(content, CompileSettings(core=core))
    except KdEdgeError as caught:
        error = caught
    assert error.code in ("KD_BAD_TFLITE", "KD_UNSUPPORTED_OP")
    assert error.hint
    return error


def campaign(content: bytes, change, seeds: range) -> None:
    """Compile every changed file; some must get through, or the changes are too coarse."""
    found = [outcome(change(content, seed), CORES[seed % 3]) for seed in seeds]
    assert any(isinstance(one, Compiled) for one in found)
    assert any(isinstance(one, KdEdgeError) for one in found)


@pytest.mark.parametrize("name", ["conv", "image", "lstm"])
def test_the_samples_themselves_compile_for_every_core(models, name):
    assert all(isinstance(outcome(models[name], core), Compiled) for core in CORES)


@pytest.mark.parametrize("change", [broken_bytes, broken_structure])
@pytest.mark.parametrize("name", ["conv", "image", "lstm"])
def test_a_broken_file_gives_an_error_or_compiles(models, name, change):
    campaign(models[name], change, range(CASES))


@pytest.mark.slow
@pytest.mark.parametrize("change", [broken_bytes, broken_structure])
@pytest.mark.parametrize("name", ["conv", "image", "lstm"])
def test_many_broken_files_give_errors_or_compile(models, name, change):
    campaign(models[name], change, range(CASES, SLOW_CASES))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_bytes_overwritten_anywhere_give_an_error_or_compile(models, data):
    content = bytearray(models[data.draw(st.sampled_from(sorted(models)))])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(st.binary(min_size=1, max_size=8))
        content[at : at + len(piece)] = piece
    outcome(bytes(content), "host")


@pytest.mark.parametrize("name", ["conv", "image", "lstm"])
def test_a_file_cut_anywhere_is_refused(models, name):
    content = models[name]
    sizes = range(0, len(content) - 64, 97)
    assert len(sizes) >= 10
    for size in sizes:
        assert isinstance(outcome(content[:size], "host"), KdEdgeError)


def test_a_shape_that_no_board_holds_is_refused():
    graph = GraphBuilder()
    x, y = (graph.tensor(name, (1, 1 << 30), scale=0.1) for name in "xy")
    graph.operator("RELU", (x,), (y,))
    error = outcome(graph.content((x,), (y,)), "host")
    assert "no board holds it" in error.message


def test_an_operator_that_reads_what_nothing_computes_is_refused():
    graph = GraphBuilder()
    x, y, z = (graph.tensor(name, (1, 4), scale=0.1) for name in "xyz")
    graph.operator("ADD", (x, y), (z,), options_of("AddOptions"))
    error = outcome(graph.content((x,), (z,)), "host")
    assert error.where == "operator 0 (ADD)"
    assert "tensor 1 ('y')" in error.message


def test_options_that_are_missing_are_named():
    graph = GraphBuilder()
    x, y = (graph.tensor(name, (1, 4, 4, 2), scale=0.1) for name in "xy")
    graph.operator("MAX_POOL_2D", (x,), (y,))
    assert "stride_h" in outcome(graph.content((x,), (y,)), "host").message


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_an_operator_without_inputs_is_refused(name):
    graph = GraphBuilder()
    x, y = (graph.tensor(tensor, (1, 4), scale=0.1) for tensor in "xy")
    graph.operator(name, (), (y,))
    error = outcome(graph.content((x,), (y,)), "host")
    assert isinstance(error, KdEdgeError)
    assert name in error.where


@pytest.mark.parametrize("change", [broken_bytes, broken_structure, odd_structure])
@pytest.mark.parametrize("name", ["conv", "image", "lstm"])
def test_a_bundles_readers_name_what_a_broken_file_lacks(models, tmp_path, name, change):
    """Sizes, lints, ports and operators of a file: facts of it, or an error."""
    path = tmp_path / "model.tflite"
    for seed in range(25):
        path.write_bytes(change(models[name], seed))
        for read in (measure_size, lint, _ports, _operators):
            with suppress(KdEdgeError):  # any other error fails the test
                read(path)


def _ports(path: Path):
    return read_ports(read_tflite(path))


def _operators(path: Path):
    return operator_names(read_tflite(path))


def resized(rows: int) -> bytes:
    graph = GraphBuilder()
    x, y = graph.tensor("x", (1, 3, 3, 1), scale=0.1), graph.tensor("y", (1, rows, 2, 1), scale=0.1)
    size = graph.constant("size", np.array([rows, 2], np.int32))
    options = options_of("ResizeNearestNeighborOptions")
    graph.operator("RESIZE_NEAREST_NEIGHBOR", (x, size), (y,), options)
    return graph.content((x,), (y,))


def spread(stride: int) -> bytes:
    graph = GraphBuilder()
    shape = (1, 2 * stride, 2 * stride, 1)
    x, y = graph.tensor("x", (1, 2, 2, 1), scale=0.1), graph.tensor("y", shape, scale=0.1)
    weights = graph.constant("w", np.ones((1, 1, 1, 1), np.int8), scale=0.1)
    options = options_of("TransposeConvOptions", strideH=stride, strideW=stride, padding=1)
    inputs = (graph.constant("shape", np.array(shape, np.int32)), weights, x)
    graph.operator("TRANSPOSE_CONV", inputs, (y,), options)
    return graph.content((x,), (y,))


def chained(count: int) -> bytes:
    """Dense layers that all read the same weights of 16 bytes."""
    graph = GraphBuilder()
    x = first = graph.tensor("x", (1, 4), scale=0.1)
    weights = graph.constant("w", np.ones((4, 4), np.int8), scale=0.1)
    for _ in range(count):
        y = graph.tensor("y", (1, 4), scale=0.1)
        graph.operator("FULLY_CONNECTED", (x, weights), (y,), options_of("FullyConnectedOptions"))
        x = y
    return graph.content((first,), (x,))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(resized(10_000_000), "above 65535"), (spread(1000), "1000000 convolutions")],
)
def test_a_small_file_cannot_ask_for_hours_of_work(content, reason):
    assert len(content) < 1000
    assert reason in outcome(content, "host").message


def test_operators_and_the_constants_they_read_are_bounded(monkeypatch):
    monkeypatch.setattr(reading, "MAX_CONSTANT_BYTES", 320)
    assert isinstance(outcome(chained(20), "host"), Compiled)
    assert "336 bytes of constants" in outcome(chained(21), "host").message
    monkeypatch.setattr(reading, "MAX_OPERATORS", 10)
    assert "21 operators" in outcome(chained(21), "host").message


@pytest.mark.parametrize("kind", ["int2", "bfloat16", "string"])
def test_a_constant_of_a_type_that_is_not_known_is_named_with_its_type(kind):
    from ai_edge_litert import schema_py_generated as schema

    model = unpack(chained(1))
    model.subgraphs[0].tensors[1].type = getattr(schema.TensorType, kind.upper())
    error = outcome(pack(model), "host")
    assert error.code == "KD_UNSUPPORTED_OP"
    assert f"('w') is of type {kind}" in error.message


def test_a_sparse_constant_is_named_as_such():
    from ai_edge_litert import schema_py_generated as schema

    model = unpack(chained(1))
    model.subgraphs[0].tensors[1].sparsity = schema.SparsityParametersT()
    error = outcome(pack(model), "host")
    assert error.code == "KD_UNSUPPORTED_OP"
    assert "('w') is stored sparse" in error.message


def test_an_operator_that_the_engine_lacks_is_named_before_all_else():
    graph = GraphBuilder()
    x, y = graph.tensor("x", (1, 4), "uint32"), graph.tensor("y", (1, 4), "uint32")
    graph.operator("RSQRT", (x,), (y,))
    error = outcome(graph.content((x,), (y,)), "host")
    assert error.message == "RSQRT: the plain-C engine has no such operator"


def test_a_name_that_is_not_utf8_is_shown_escaped_in_code_report_and_json(tmp_path, capsys):
    out = tmp_path / "c"
    arguments = ["compile", str(FILES / "names_latin1.tflite"), "--out", str(out), "--report"]
    assert run([*arguments, "--json"]) == 0
    shown = r"temp\xb0C"
    assert shown in json.dumps(json.loads(capsys.readouterr().out)).replace("\\\\", "\\")
    for name in ("kd_model.h", "README.md", "report.html"):
        assert shown in (out / name).read_text(encoding="utf-8"), name
