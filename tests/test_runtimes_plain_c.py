"""Plain C as a runtime of this machine. Oracle: TFLite Micro's interpreter, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from aot_fuzz import lstm_model
from aot_layers import branch_model

from firmware_export import library
from firmware_export.library import build_library, host_compiler
from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.base.formats import FORMATS, REFERENCE, SHIPPED
from kd_edge.runtimes import registry
from kd_edge.runtimes.registry import open_interpreter
from kd_edge.runtimes.results import PLAIN_C
from kd_edge.runtimes.tflm import TFLM

needs_compiler = pytest.mark.skipif(host_compiler() is None, reason="no C compiler is installed")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Libraries of this module alone, kept from test to test."""
    folder = tmp_path_factory.getbasetemp() / "libraries"
    monkeypatch.setattr(library.platformdirs, "user_cache_dir", lambda name: str(folder))


@pytest.fixture(scope="module")
def lstm(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "lstm.tflite"
    path.write_bytes(lstm_model())
    return path


def windows(interpreter, n, seed=0):
    rng = np.random.default_rng(seed)
    return [
        [rng.integers(-128, 128, spec.shape).astype(spec.dtype) for spec in interpreter.inputs]
        for _ in range(n)
    ]


def check_alike(lstm):
    """With fresh state, and with state that runs on."""
    mine, theirs = open_interpreter(PLAIN_C, lstm), open_interpreter(TFLM.name, lstm)
    assert (mine.inputs, mine.outputs) == (theirs.inputs, theirs.outputs)
    for window in windows(mine, 4):
        for keep in (False, True, True):
            pairs = zip(
                mine.run(window, keep_state=keep), theirs.run(window, keep_state=keep), strict=True
            )
            assert all(np.array_equal(a, b) for a, b in pairs)


@needs_compiler
def test_it_answers_as_tflite_micro_with_and_without_state(lstm):
    check_alike(lstm)


@needs_compiler
def test_two_of_one_model_share_no_state_and_are_compiled_once(lstm, monkeypatch):
    first = open_interpreter(PLAIN_C, lstm)
    monkeypatch.setattr(library, "run_compiler", None)
    second = open_interpreter(PLAIN_C, lstm)
    window, other = windows(first, 2)
    before = first.run(window)
    second.run(other)
    after = first.run(window, keep_state=True)
    again = second.run(window)
    assert all(np.array_equal(a, b) for a, b in zip(before, again, strict=True))
    second.run(window, keep_state=True)
    assert all(np.array_equal(a, b) for a, b in zip(after, second.answers(), strict=True))


@needs_compiler
def test_invoking_twice_on_the_same_inputs_is_the_same_model(tmp_path):
    path = tmp_path / "branch.tflite"
    path.write_bytes(branch_model())
    interpreter = open_interpreter(PLAIN_C, path)
    interpreter.load(windows(interpreter, 1)[0])
    interpreter.invoke()
    first = interpreter.answers()
    interpreter.reset()
    interpreter.invoke()
    assert all(np.array_equal(a, b) for a, b in zip(first, interpreter.answers(), strict=True))


def test_without_a_compiler_it_says_how_to_get_one(lstm, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(library, "_ZIG", "no_such_package")
    assert not registry.available(PLAIN_C)
    assert registry.version(PLAIN_C) is None
    with pytest.raises(KdEdgeError) as caught:
        open_interpreter(PLAIN_C, lstm)
    assert caught.value.code == "KD_MISSING_TOOL"
    assert caught.value.exit_status == ExitStatus.MISSING_TOOL
    assert "kd-edge[compiler]" in caught.value.hint


@pytest.mark.slow
def test_the_compiler_of_the_package_index_builds_it_too(lstm, monkeypatch):
    pytest.importorskip("ziglang")
    monkeypatch.setattr(library, "HOST_COMPILERS", ())
    assert "clang" in registry.version(PLAIN_C)
    check_alike(lstm)


@needs_compiler
def test_sources_that_do_not_compile_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(library.platformdirs, "user_cache_dir", lambda name: str(tmp_path))
    with pytest.raises(KdEdgeError) as caught:
        build_library({"a.c": "int f(void) { return x; }\n"})
    assert caught.value.code == "KD_COMPILE"
    assert list(tmp_path.rglob("*.*")) == []


def test_what_it_lacks_is_refused(lstm):
    for more in ({"threads": 2}, {"preserve_tensors": True}):
        with pytest.raises(KdEdgeError) as caught:
            open_interpreter(PLAIN_C, lstm, **more)
        assert caught.value.code == "KD_USAGE"


@needs_compiler
def test_it_is_the_oracle_exactly_if_tflite_micro_is_not_installed(monkeypatch):
    assert TFLM.name == registry.ORACLE
    assert PLAIN_C not in registry.installed()
    assert registry.stood_in() == ()
    found = registry.available
    monkeypatch.setattr(registry, "available", lambda n: n != TFLM.name and found(n))
    monkeypatch.setattr(registry, "ORACLE", registry._oracle())
    assert registry.ORACLE == PLAIN_C
    assert PLAIN_C in registry.installed()
    assert "bit for bit" in " ".join(registry.stood_in())
    float32, int8 = FORMATS[REFERENCE], FORMATS[SHIPPED]
    assert PLAIN_C in registry.measured_here(int8, (TFLM.name,), ("CONV_2D",))
    assert PLAIN_C not in registry.measured_here(int8, ("litert",), ("CONV_2D",))
    assert PLAIN_C not in registry.measured_here(int8, (TFLM.name,), ("NO_SUCH_OPERATOR",))
    assert PLAIN_C not in registry.measured_here(float32, (TFLM.name,), ())
