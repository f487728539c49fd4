"""Latency: the time of one inference on this host, as a distribution."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.examples import Examples
from kd_edge.measure.host import host
from kd_edge.measure.results import Latency
from kd_edge.runtimes.interpreter import Interpreter, model_inputs, one_window
from kd_edge.runtimes.registry import open_interpreter

_HISTOGRAM_BINS = 24


def measure_latency(
    runtime: str,
    path: Path,
    windows: Examples,
    *,
    n_runs: int = 200,
    n_warmup: int = 20,
    threads: int = 1,
) -> Latency:
    """Time `n_runs` inferences of the model at `path`; see `time_interpreter`.

    Raises as `open_interpreter` and `time_interpreter`.
    """
    interpreter = open_interpreter(runtime, path, threads=threads)
    return time_interpreter(
        interpreter, runtime, windows, n_runs=n_runs, n_warmup=n_warmup, threads=threads
    )


def time_interpreter(
    interpreter: Interpreter,
    runtime: str,
    windows: Examples,
    *,
    n_runs: int,
    n_warmup: int = 20,
    threads: int = 1,
) -> Latency:
    """Time `n_runs` inferences, over the windows in turn.

    Timed is the runtime's invocation alone; resetting the state and copying the inputs come before
    the clock starts, reading the outputs after it stops. Do not infer a board's speed from it.

    Args:
        runtime, threads: that the interpreter was opened with.

    Raises:
        KdEdgeError KD_USAGE: n_runs < 1.
        KdEdgeError KD_EMPTY_PART: no windows.
        KdEdgeError: as `match_inputs`.
    """
    if n_runs < 1:
        raise KdEdgeError("KD_USAGE", f"latency needs at least one run, not {n_runs}")
    if len(windows) == 0:
        raise KdEdgeError("KD_EMPTY_PART", "there is no window to time the model on")
    arrays = model_inputs(interpreter, windows.take(np.arange(min(len(windows), n_runs))))
    times_us = np.empty(n_warmup + n_runs)
    for run in range(n_warmup + n_runs):
        interpreter.load(one_window(arrays, run % len(arrays[0])))
        start = time.perf_counter_ns()
        interpreter.invoke()
        times_us[run] = (time.perf_counter_ns() - start) / 1000
    timed = times_us[n_warmup:]
    p5, median, p95, p99 = (float(v) for v in np.percentile(timed, (5, 50, 95, 99)))
    return Latency(
        runtime=runtime,
        n_warmup=n_warmup,
        n_runs=n_runs,
        threads=threads,
        median_us=median,
        p5_us=p5,
        p95_us=p95,
        p99_us=p99,
        histogram_us=_histogram(timed),
        host=host(),
    )


def _histogram(times_us: np.ndarray) -> tuple[tuple[float, float, int], ...]:
    """Equal bins up to the 99th percentile; one more holds the outliers, so that bins stay fine."""
    top = float(np.percentile(times_us, 99))
    counts, edges = np.histogram(times_us[times_us <= top], bins=_HISTOGRAM_BINS)
    bins = [
        (float(low), float(high), int(count))
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    outliers = times_us[times_us > top]
    if len(outliers):
        bins.append((bins[-1][1], float(outliers.max()), len(outliers)))
    return tuple(bins)
