"""Models that keep columns from hop to hop, beside TFLite Micro on every whole window."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
from aot_harness import Answered, runner_of

from firmware_export.aot.compiler import Compiled, CompileSettings, compile_model
from kd_edge.runtimes.registry import open_interpreter


def check_hops(
    models: Sequence[tuple[bytes, Fraction]], *, core: str = "host", seed: int = 0, n_hops: int = 6
) -> list[Compiled]:
    """Assert that after each hop the generated C answers as TFLite Micro for the window then."""
    compiled = [
        compile_model(content, CompileSettings(core=core, prefix=f"m{i}", hop=hop))
        for i, (content, hop) in enumerate(models)
    ]
    truth = [recorded(content, hop, seed=seed, n_hops=n_hops) for content, hop in models]
    run = runner_of(core)
    for i, (answers, (expected, first)) in enumerate(
        zip(run(compiled, [given for given, _ in truth]), truth, strict=True)
    ):
        pairs = list(zip(answers, expected.outputs, strict=True))[first:]
        assert len(pairs) == n_hops
        for window, (mine, theirs) in enumerate(pairs):
            for a, b in zip(mine, theirs, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=f"model {i}, window {window}")
    return compiled


def recorded(content: bytes, hop: Fraction, *, seed: int, n_hops: int) -> tuple[Answered, int]:
    """What is new at each step, and TFLite Micro's answers to the window then.

    Returns:
        steps with their answers, and the number of the first step at which a whole window is
        there; before it the answers are any.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        session = open_interpreter("tflm", path)
        rng = np.random.default_rng(seed)
        steps = ceil(1 / hop) - 1 + n_hops
        sizes = [int(np.prod(spec.shape)) for spec in session.inputs]
        shifts = [int(hop * size) for size in sizes]
        streams = [
            _signal(rng, steps * shift, spec.dtype)
            for spec, shift in zip(session.inputs, shifts, strict=True)
        ]
        inputs, outputs = [], []
        for step in range(steps):
            ends = [(step + 1) * shift for shift in shifts]
            inputs.append(
                tuple(s[e - n : e] for s, e, n in zip(streams, ends, shifts, strict=True))
            )
            windows = [
                _window(stream, end, size).reshape(spec.shape)
                for stream, end, size, spec in zip(
                    streams, ends, sizes, session.inputs, strict=True
                )
            ]
            outputs.append(session.run(windows))
        return Answered(tuple(inputs), tuple(outputs)), ceil(1 / hop) - 1


def _signal(rng, count: int, dtype: str) -> np.ndarray:
    """Random values with runs of the smallest and the largest among them."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    values = rng.integers(low, high, count, endpoint=True)
    start = count // 3
    values[start : start + count // 8] = high
    values[2 * start : 2 * start + count // 8] = low
    return values.astype(dtype)


def _window(stream: np.ndarray, end: int, size: int) -> np.ndarray:
    part = stream[max(end - size, 0) : end]
    return np.concatenate([np.zeros(size - len(part), stream.dtype), part])
