"""The figures that are measured, each with its unit and how it was had; unknown is None, not 0."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Latency:
    """Time of one inference on this host, in microseconds.

    The state is reset and the inputs are copied before the clock starts.

    Attributes:
        n_runs: timed runs, after `n_warmup` untimed ones.
        threads: the runtime's own threads.
        histogram_us: (edge_low_us, edge_high_us, count) a bin.
        host: processor and operating system.
    """

    runtime: str
    n_warmup: int
    n_runs: int
    threads: int
    median_us: float
    p5_us: float
    p95_us: float
    p99_us: float
    histogram_us: tuple[tuple[float, float, int], ...]
    host: str


@dataclass(frozen=True)
class Arena:
    """Memory that TFLite Micro's interpreter needs for a model, measured with its own recorder.

    Attributes:
        abi: of the interpreter that was measured: 'x86-64', not a Cortex-M.
        used_bytes: total the interpreter says it used; `sections` add up to it.
        smallest_bytes: smallest arena in which it allocated and ran, found by bisection.
        sections: (section, bytes), as the recorder names them.
        how: one sentence for the reader.
    """

    abi: str
    used_bytes: int
    smallest_bytes: int | None
    sections: tuple[tuple[str, int], ...]
    how: str


@dataclass(frozen=True)
class LayerCost:
    """One operator of a model, in execution order."""

    index: int
    operator: str
    name: str
    macs: int | None
    weight_bytes: int
    output_shape: tuple[int, ...]


@dataclass(frozen=True)
class Size:
    """A model file's bytes by what they hold; of another kind of file no layers are known."""

    file_bytes: int
    weight_bytes: int
    overhead_bytes: int
    macs: int | None
    layers: tuple[LayerCost, ...]
