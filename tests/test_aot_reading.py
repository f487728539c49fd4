"""Broken and hostile files: an error that helps or compiled C, never anything else."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from aot_fuzz import broken_bytes, broken_structure, image_model, lstm_model
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_samples import GraphBuilder, options_of, write_conv_model

from firmware_export.aot.compiler import Compiled, CompileSettings, compile_model
from firmware_export.aot.forms import FORMS
from firmware_export.aot.lower import LOWERINGS
from kd_edge.errors import KdEdgeError

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
    for size in range(0, len(content) - 64, 97):
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


@pytest.mark.parametrize("name", sorted(FORMS))
def test_an_operator_without_inputs_is_refused(name):
    graph = GraphBuilder()
    x, y = (graph.tensor(tensor, (1, 4), scale=0.1) for tensor in "xy")
    graph.operator(name, (), (y,))
    error = outcome(graph.content((x,), (y,)), "host")
    assert isinstance(error, KdEdgeError)
    assert name in error.where


def test_forms_are_stated_for_operators_that_the_engine_has():
    assert set(FORMS) <= set(LOWERINGS) | {"TRANSPOSE_CONV"}
