"""SVDF in the plain-C engine; the oracle is the TFLite Micro interpreter's every byte."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
from aot_harness import check_exact
from aot_models import some
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tflite_samples import GraphBuilder, options_of

from firmware_export.aot.compiler import CompileSettings, compile_model
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import pack, unpack
from kd_edge.runtimes.registry import open_interpreter


@dataclass(frozen=True)
class SvdfCase:
    """One SVDF; `gains` are steps of the state, and of the result, that a typical sum takes."""

    n_input: int = 6
    units: int = 3
    rank: int = 1
    memory: int = 4
    batches: int = 1
    state: str = "int8"
    gains: tuple[float, float] = (0.02, 0.02)
    zero_points: tuple[int, int, int] = (3, -5, 7)
    seed: int = 0


_ZEROS = st.sampled_from([-128, -50, 0, 25, 127])
_CASES = st.builds(
    SvdfCase,
    n_input=st.sampled_from([1, 3, 16, 33]),
    units=st.integers(1, 9),
    rank=st.sampled_from([1, 1, 2, 3]),
    memory=st.sampled_from([1, 2, 8, 20]),
    batches=st.sampled_from([1, 1, 2]),
    state=st.sampled_from(["int8", "int16"]),
    gains=st.tuples(*[st.sampled_from([1e-6, 3e-3, 0.02, 0.5, 3.0])] * 2),
    zero_points=st.tuples(_ZEROS, _ZEROS, _ZEROS),
    seed=st.integers(0, 999),
)
_SETTINGS = settings(max_examples=1, derandomize=True, deadline=None, phases=[Phase.generate])


def svdf_model(case: SvdfCase, *, bias_scale: float = 1.0, shared: bool = False) -> bytes:
    """The file's bytes.

    Args:
        bias_scale: in units of what it must be.
        shared: a second SVDF on the same state.
    """
    rng = np.random.default_rng(case.seed)
    graph = GraphBuilder()
    filters = case.units * case.rank
    in_scale, state_scale, out_scale = 1 / 64, 0.3, 0.1
    feature_scale = case.gains[0] * state_scale / in_scale
    time_scale = case.gains[1] * out_scale / state_scale
    in_zero, state_zero, out_zero = case.zero_points
    limit = 128 if case.state == "int8" else 32768

    def layer(x, state):
        feature = rng.integers(-128, 128, (filters, case.n_input)).astype(np.int8)
        time = rng.integers(-limit, limit, (filters, case.memory)).astype(case.state)
        bias = rng.integers(-3000, 3000, case.units).astype(np.int32)
        product = float(np.float32(state_scale) * np.float32(time_scale))
        result = graph.tensor("y", (case.batches, case.units), scale=out_scale, zero_point=out_zero)
        constants = (
            graph.constant("feature", feature, scale=feature_scale),
            graph.constant("time", time, scale=time_scale),
            graph.constant("bias", bias, scale=product * bias_scale),
        )
        options = options_of("SVDFOptions", rank=case.rank, fusedActivationFunction=1)
        graph.operator("SVDF", (x, *constants, state), (result,), options, version=3)
        return result

    x = graph.tensor("x", (case.batches, case.n_input), scale=in_scale, zero_point=in_zero)
    state = graph.tensor(
        "state",
        (case.batches, filters * case.memory),
        case.state,
        scale=state_scale,
        zero_point=state_zero if case.state == "int8" else 0,
        variable=True,
    )
    results = [layer(x, state) for _ in range(2 if shared else 1)]
    return graph.content((x,), results)


@pytest.mark.parametrize("carry_state", [False, True])
def test_any_size_and_quantisation_answers_as_tflite_micro(carry_state):
    @_SETTINGS
    @given(some(_CASES, 16))
    def run(drawn):
        contents = [svdf_model(case) for case in drawn]
        check_exact(contents, n_windows=12, settings={"carry_state": carry_state})

    run()


@pytest.mark.qemu
@pytest.mark.parametrize("core", ["m3", "m4", "m55"])
def test_so_does_it_on_emulated_cores(core):
    @_SETTINGS
    @given(some(_CASES, 8))
    def run(drawn):
        contents = [svdf_model(case) for case in drawn]
        check_exact(contents, core=core, settings={"carry_state": True})

    run()


def test_state_lives_beside_other_layers_when_it_is_carried_and_with_them_when_not():
    fresh, carried = (
        compile_model(svdf_model(SvdfCase()), CompileSettings(carry_state=carry))
        for carry in (False, True)
    )
    assert "memset" in fresh.files["kd_model.c"].split("kd_model_invoke(void)")[1]
    assert "memset" not in carried.files["kd_model.c"].split("kd_model_invoke(void)")[1]
    assert "kd_model_reset" in carried.files["kd_model.h"]


@pytest.mark.parametrize("rank", [0, -1])
def test_a_rank_by_which_tflite_micro_would_divide_and_end_is_refused(rank, tmp_path):
    """Oracle: the interpreter in a process of its own, which dies of the same file."""
    model = unpack(svdf_model(SvdfCase()))
    model.subgraphs[0].operators[0].builtinOptions.rank = rank
    path = tmp_path / "m.tflite"
    path.write_bytes(pack(model))
    with pytest.raises(KdEdgeError, match="TFLite Micro does not run") as caught:
        open_interpreter("tflm", path)
    assert caught.value.code == "KD_UNSUPPORTED_OP"
    assert "rank" in caught.value.where
    if rank == 0:
        code = "import sys; from tflite_micro.python.tflite_micro import runtime; "
        code += "runtime.Interpreter.from_file(sys.argv[1], arena_size=100_000)"
        assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode < 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (svdf_model(SvdfCase(gains=(0.02, 0.5)), bias_scale=2.0), "biases' scale"),
        (svdf_model(replace(SvdfCase(), units=4, rank=2), shared=True), "state"),
    ],
)
def test_what_tflite_micro_does_not_take_is_refused(content, reason):
    with pytest.raises(KdEdgeError, match=reason) as caught:
        compile_model(content, CompileSettings())
    assert caught.value.code == "KD_UNSUPPORTED_OP"
