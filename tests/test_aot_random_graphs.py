"""Random models of several operators; the oracle is TFLite Micro, bit for bit.

`KD_EDGE_FUZZ_GRAPHS=5000 pytest tests/test_aot_random_graphs.py -n 4` tries more of them. A failure
names the seed: `random_graph(seed)` makes its model again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from aot_fuzz import broken_bytes, broken_structure, odd_structure
from aot_harness import runner_of
from aot_oracle import ask_apart
from aot_random_graphs import random_graph

from firmware_export.aot.compiler import Compiled, CompileSettings, compile_model
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import read_tflite

GRAPHS = int(os.environ.get("KD_EDGE_FUZZ_GRAPHS", "60"))
_BATCH = 20
_WINDOWS = 5
_BATCHES = range(0, GRAPHS, _BATCH)
_CHANGES_OF_ONE = 4  # of each random model


def settings_of(seed: int, core: str) -> dict:
    """Settings that change what memory is used when, drawn by the seed."""
    return {"core": core, "carry_state": seed % 3 == 1, "keep_inputs": seed % 2 == 1}


def compiled(content: bytes, seed: int, core: str = "host") -> Compiled | KdEdgeError:
    try:
        return compile_model(content, CompileSettings(prefix=f"m{seed}", **settings_of(seed, core)))
    except KdEdgeError as caught:
        error = caught
    assert error.code in ("KD_BAD_TFLITE", "KD_UNSUPPORTED_OP"), seed
    assert error.hint, seed
    return error


def compare(make: Callable[[int], bytes], seeds: Sequence[int], core: str = "host") -> int:
    """Assert that what compiles answers as TFLite Micro; gives how many models did."""
    contents = {seed: make(seed) for seed in seeds}
    made = {seed: compiled(content, seed, core) for seed, content in contents.items()}
    ours = {seed: one for seed, one in made.items() if isinstance(one, Compiled)}
    asked = ask_apart(
        [contents[seed] for seed in ours],
        seed=seeds[0],
        n_windows=_WINDOWS,
        carried=[one.settings.carry_state for one in ours.values()],
    )
    oracles = dict(zip(ours, asked, strict=True))
    refused = {seed: one.refusal for seed, one in oracles.items() if one.answers is None}
    assert not refused, f"TFLite Micro refuses what is compiled: {refused}"
    run = runner_of(core)
    answers = run(list(ours.values()), [one.answers for one in oracles.values()])
    for seed, mine in zip(ours, answers, strict=True):
        for window, expected in zip(mine, oracles[seed].answers.outputs, strict=True):
            for a, b in zip(window, expected, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=f"seed {seed}")
    return len(ours)


def odd(seed: int) -> bytes:
    return odd_structure(random_graph(seed // _CHANGES_OF_ONE), seed)


@pytest.mark.parametrize("first", _BATCHES)
def test_random_models_answer_as_tflite_micro(first):
    seeds = range(first, first + _BATCH)
    assert compare(random_graph, seeds) > 0.8 * len(seeds)


@pytest.mark.parametrize("first", _BATCHES)
def test_models_with_one_odd_figure_answer_as_tflite_micro_or_are_refused(first):
    assert compare(odd, range(first, first + 2 * _BATCH)) > 0


@pytest.mark.qemu
@pytest.mark.parametrize("core", ["m4", "m55"])
def test_so_do_random_models_on_emulated_cores(core):
    seeds = range(GRAPHS, GRAPHS + max(GRAPHS // 5, 8))
    assert compare(random_graph, seeds, core) > 0.8 * len(seeds)


@pytest.mark.parametrize("change", [broken_bytes, broken_structure])
def test_hostile_bytes_give_an_error_or_a_model(change):
    seeds = range(4 * GRAPHS)
    made = [compiled(change(random_graph(seed // 10), seed), seed) for seed in seeds]
    assert any(isinstance(one, Compiled) for one in made)
    assert any(isinstance(one, KdEdgeError) for one in made)


def test_every_kind_of_operator_is_among_them():
    """The least that the batches are worth: states, weights, moves and joins all come up."""
    names = {op.name for seed in range(60) for op in read_tflite(random_graph(seed)).operators}
    assert len(names) > 30
    assert {"UNIDIRECTIONAL_SEQUENCE_LSTM", "CONV_2D", "CONCATENATION", "STRIDED_SLICE"} <= names
    assert random_graph(7) == random_graph(7)
