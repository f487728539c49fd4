"""Flash, RAM and instructions of the plain-C engine on emulated boards, as Markdown tables.

    python benchmarks/bench_plain_c.py [--models ad01 kws01] [--file ad01=FILE] [--layers]
    pytest benchmarks/bench_plain_c.py

The models are made here: the seed's two students untrained, the others with random weights from
their layers' shapes; instructions depend on the values by a few per cent only. `--file` takes the
file of one of these models, or of any other, instead. Instructions are counted by QEMU, the same in
every run; they are not cycles. TFLite Micro's column is cited.
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from aot_gates import BOARDS, TFLITE_MICRO, measured_costs, over_bound
from aot_int4_models import with_int4_weights
from aot_tiny_models import TINY_MODELS

from firmware_export.aot.bounds import LayerCost
from firmware_export.aot.compiler import Compiled, CompileSettings, compile_model
from firmware_export.aot.cycles import estimate_cycles
from firmware_export.boards import find_board
from firmware_export.boards.on_board import measure_size, run_on_board

OPTIMIZE = ("-Os", "-O2")
SEEDS = {
    "single": ("seed-single-student", {"signals": (10, 40, 21)}),
    "multi-expert": (
        "seed-multi-expert-student",
        {"emg": (10, 300, 3), "acc": (10, 40, 9), "gyr": (10, 40, 9)},
    ),
}
GOALS = {  # flash kB, RAM kB, million instructions
    ("single", "m4"): (44, 10.5, 0.90),
    ("single", "m55"): (None, None, 0.60),
    ("multi-expert", "m4"): (190, 18, 3.6),
    ("multi-expert", "m55"): (None, None, 2.0),
}
MOST_OS_TIMES_O2 = 1.3
N_WINDOWS = 4


@dataclass(frozen=True)
class Row:
    """One model on one core with one optimisation; the largest count of its windows."""

    model: str
    core: str
    optimize: str
    flash_bytes: int
    ram_bytes: int
    instructions: int
    macs: int
    cycles: tuple[int, int] | None


def measure(name: str, content: bytes, core: str, optimize: str, *, stream: bool = False) -> Row:
    """Link and run one model; its answers are checked by the tests, not here."""
    compiled = compile_model(content, CompileSettings(core=core, stream=stream))
    rng = np.random.default_rng(0)
    steps = compiled.schedule.items[0].steps if stream else 1
    windows = [
        tuple(
            rng.integers(-128, 128, (steps * int(np.prod(t.shape)),), dtype=np.int8)
            for t in compiled.graph.inputs
        )
        for _ in range(N_WINDOWS)
    ]
    board = find_board(BOARDS[core])
    with tempfile.TemporaryDirectory() as folder:
        size = measure_size(board, compiled, Path(folder), optimize=optimize)
        (run,), _ = run_on_board(board, [(compiled, windows)], Path(folder), optimize=optimize)
    macs = sum(layer.macs for layer in compiled.layers)
    name = f"{name}, step by step" if stream else name
    most = int(max(run.instructions))
    cycles = _cycles(compiled, most)
    return Row(name, core, optimize, size.flash_bytes, size.ram_bytes, most, macs, cycles)


def _cycles(compiled: Compiled, instructions: int) -> tuple[int, int] | None:
    """What these instructions may take, by the core's manual; see firmware_export/aot/cycles.py."""
    estimate = estimate_cycles(compiled.layers, compiled.core)
    if estimate is None or not estimate.instructions:
        return None
    scale = instructions / estimate.instructions
    return round(estimate.low_cycles * scale), round(estimate.high_cycles * scale)


def untrained_student(name: str) -> bytes:
    """The int8 file of a seed student with random weights, calibrated on noise."""
    from kd_edge.convert.tflite import to_tflite
    from kd_edge.models import build_model

    model_name, shapes = SEEDS[name]
    rng = np.random.default_rng(0)
    calibration = {k: rng.normal(size=(64, *s)).astype(np.float32) for k, s in shapes.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "student.keras"
        build_model(model_name, input_shapes=shapes, n_classes=50, seed=0, options={}).save(path)
        made = to_tflite(
            path,
            path.with_suffix(".tflite"),
            fmt="int8",
            input_order=tuple(shapes),
            calibration=calibration,
        )
        return made.path.read_bytes()


def table(rows: list[Row]) -> str:
    """Markdown, with TFLite Micro's figures of the same models where there are any."""
    lines = [
        "| model | core | | flash, kB | RAM, kB | M instructions a window | a MAC "
        "| M cycles, estimated | TFLite Micro + CMSIS-NN: flash, RAM, M instructions |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        peer = TFLITE_MICRO.get((row.model, row.core, row.optimize))
        beside = "" if peer is None else ", ".join(_cited(peer))
        lines.append(
            f"| {row.model} | {row.core} | {row.optimize} | {row.flash_bytes / 1000:.1f} "
            f"| {row.ram_bytes / 1000:.1f} | {row.instructions / 1e6:.3f} "
            f"| {row.instructions / row.macs:.2f} | {_range(row.cycles)} | {beside} |"
        )
    return "\n".join(lines)


def _range(cycles: tuple[int, int] | None) -> str:
    return "–" if cycles is None else f"{cycles[0] / 1e6:.2f} to {cycles[1] / 1e6:.2f}"


def _cited(peer: tuple[float | None, float | None, float]) -> list[str]:
    flash_kb, ram_kb, million = peer
    sizes = [f"{value:.1f} kB" for value in (flash_kb, ram_kb) if value is not None]
    return [*sizes, f"{million:.2f} M"]


def cost_table(name: str, core: str, costs: Sequence[LayerCost]) -> str:
    """Markdown."""
    lines = [
        f"| {name}, {core}: layer | kernel | MACs | results | instructions | a MAC | bound: loads, "
        "widening, products, results | times |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for cost in costs:
        bound, rate = cost.bound, "" if cost.per_mac is None else f"{cost.per_mac:.2f}"
        parts = (bound.loads, bound.widening, bound.multiplies, bound.results) if bound else ()
        told = f"{bound.total:,}: " + ", ".join(f"{part:,}" for part in parts) if bound else ""
        times = "" if cost.times_bound is None else f"{cost.times_bound:.2f}"
        lines.append(
            f"| {cost.place} | {cost.kernel} | {cost.macs:,} | {cost.results:,} "
            f"| {cost.instructions:,} | {rate} | {told} | {times} |"
        )
    return "\n".join(lines)


MODELS: dict[str, Callable[[], bytes]] = {
    **{name: functools.partial(untrained_student, name) for name in SEEDS},
    **TINY_MODELS,
    "kws01, int4": lambda: with_int4_weights(TINY_MODELS["kws01"]()),
}


@functools.cache
def model(name: str) -> bytes:
    return MODELS[name]()


@functools.cache
def measured(name: str, core: str, optimize: str) -> Row:
    return measure(name, model(name), core, optimize)


@pytest.mark.parametrize("core", BOARDS)
@pytest.mark.parametrize("name", SEEDS)
def test_the_seed_students_stay_within_their_goals(name, core):
    first = measured(name, core, "-O2")
    print(table([first]))
    flash_kb, ram_kb, million = GOALS[name, core]
    assert first.instructions <= million * 1e6
    if flash_kb is not None:
        smallest = measured(name, core, "-Os")
        assert smallest.flash_bytes <= flash_kb * 1000
        assert smallest.ram_bytes <= ram_kb * 1000


@pytest.mark.parametrize("core", BOARDS)
@pytest.mark.parametrize("name", MODELS)
def test_counts_are_equal_in_two_runs(name, core):
    assert measure(name, model(name), core, "-O2") == measured(name, core, "-O2")


@pytest.mark.parametrize("core", BOARDS)
@pytest.mark.parametrize("name", MODELS)
def test_no_layer_takes_much_more_than_its_bound(name, core):
    over = over_bound(name, measured_costs(model(name), core), core)
    print(cost_table(name, core, over))
    assert over == []


@pytest.mark.parametrize(("name", "core", "optimize"), TFLITE_MICRO)
def test_a_model_takes_less_of_everything_than_with_cmsis_nn(name, core, optimize):
    row = measured(name, core, optimize)
    flash_kb, ram_kb, million = TFLITE_MICRO[name, core, optimize]
    print(table([row]))
    assert row.instructions < million * 1e6
    assert flash_kb is None or row.flash_bytes < flash_kb * 1000
    assert ram_kb is None or row.ram_bytes < ram_kb * 1000


@pytest.mark.parametrize("core", BOARDS)
@pytest.mark.parametrize("name", MODELS)
def test_code_for_size_takes_little_more_instructions_than_code_for_speed(name, core):
    small, fast = (measured(name, core, optimize) for optimize in OPTIMIZE)
    print(table([small, fast]))
    assert small.instructions <= MOST_OS_TIMES_O2 * fast.instructions


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[], help="default: all")
    parser.add_argument("--file", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--core", action="append", choices=BOARDS, help="default: both")
    parser.add_argument("--layers", action="store_true", help="instructions of each layer, -O2")
    options = parser.parse_args(arguments)
    files = dict(named.split("=", 1) for named in options.file)
    names = options.models or ([] if files else list(MODELS))
    contents = {name: model(name) for name in names}
    contents |= {name: Path(path).read_bytes() for name, path in files.items()}
    cores = options.core or list(BOARDS)
    if options.layers:
        for name, content in contents.items():
            for core in cores:
                print(cost_table(name, core, measured_costs(content, core)), end="\n\n", flush=True)
        return
    rows = [
        measure(name, content, core, optimize)
        for name, content in contents.items()
        for core in cores
        for optimize in OPTIMIZE
    ]
    if "single" in contents:
        rows += [measure("single", contents["single"], c, "-O2", stream=True) for c in cores]
    print(table(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
