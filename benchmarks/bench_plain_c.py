"""Flash, RAM and instructions of the plain-C engine on emulated boards, as a Markdown table.

    python benchmarks/bench_plain_c.py [name=model.int8.tflite ...]
    pytest benchmarks/bench_plain_c.py

Without arguments the seed's two students are made untrained and a keyword-spotting network is made
from random weights: instructions depend on the values by a few per cent only. Instructions are
counted by QEMU, the same in every run; they are not cycles. TFLite Micro's column is cited: the
counts of trained seed students.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from aot_window_models import keyword_spotter

from firmware_export.aot.compiler import Compiled, CompileSettings, compile_model
from firmware_export.aot.cycles import estimate_cycles
from firmware_export.boards import find_board
from firmware_export.boards.on_board import measure_size, run_on_board

KEYWORDS = "keyword spotting"
BOARDS = {"m4": "qemu-an386", "m55": "qemu-an547"}
OPTIMIZE = ("-Os", "-O2")
SEEDS = {
    "single": ("seed-single-student", {"signals": (10, 40, 21)}),
    "multi-expert": (
        "seed-multi-expert-student",
        {"emg": (10, 300, 3), "acc": (10, 40, 9), "gyr": (10, 40, 9)},
    ),
}
# Kilobytes of flash, kilobytes of RAM, million instructions: TFLite Micro with CMSIS-NN, kernels
# registered for int8 alone, the same compiler and emulated boards, trained seed students.
TFLITE_MICRO = {
    ("single", "m4", "-Os"): (95.2, 25.7, 2.81),
    ("single", "m4", "-O2"): (109.5, 25.7, 1.98),
    ("single", "m55", "-Os"): (90.6, 25.7, 1.37),
    ("single", "m55", "-O2"): (101.7, 25.7, 0.92),
    ("multi-expert", "m4", "-Os"): (256.2, 46.6, 16.1),
    ("multi-expert", "m4", "-O2"): (273.9, 46.6, 10.6),
    ("multi-expert", "m55", "-Os"): (250.4, 46.6, 10.1),
    ("multi-expert", "m55", "-O2"): (264.6, 46.6, 6.5),
    # 2.9 a multiply-accumulate of a network of this size; flash and RAM were not measured.
    (KEYWORDS, "m4", "-O2"): (None, None, 7.7),
}
GOALS = {  # flash kB, RAM kB, million instructions
    ("single", "m4"): (44, 10.5, 0.90),
    ("single", "m55"): (None, None, 0.60),
    ("multi-expert", "m4"): (190, 18, 3.6),
    ("multi-expert", "m55"): (None, None, 2.0),
    (KEYWORDS, "m4"): (None, None, 7.7),
}
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


@pytest.fixture(scope="module")
def students() -> dict[str, bytes]:
    return {name: untrained_student(name) for name in SEEDS}


@pytest.mark.parametrize("core", BOARDS)
@pytest.mark.parametrize("name", SEEDS)
def test_the_seed_students_stay_within_their_goals(students, name, core):
    first = measure(name, students[name], core, "-O2")
    assert measure(name, students[name], core, "-O2") == first
    print(table([first]))
    flash_kb, ram_kb, million = GOALS[name, core]
    assert first.instructions <= million * 1e6
    if flash_kb is not None:
        smallest = measure(name, students[name], core, "-Os")
        assert smallest.flash_bytes <= flash_kb * 1000
        assert smallest.ram_bytes <= ram_kb * 1000


@pytest.mark.parametrize("core", BOARDS)
def test_a_keyword_spotter_takes_fewer_instructions_than_with_cmsis_nn(core):
    row = measure(KEYWORDS, keyword_spotter(), core, "-O2")
    print(table([row]))
    assert row.instructions < 7.7e6


def main(arguments: list[str]) -> None:
    named = [argument.split("=", 1) for argument in arguments]
    models = {name: Path(path).read_bytes() for name, path in named} or {
        name: untrained_student(name) for name in SEEDS
    }
    models[KEYWORDS] = keyword_spotter()
    rows = [
        measure(name, content, core, optimize)
        for name, content in models.items()
        for core in BOARDS
        for optimize in OPTIMIZE
    ]
    rows += [
        measure("single", models["single"], core, "-O2", stream=True)
        for core in BOARDS
        if "single" in models
    ]
    print(table(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
