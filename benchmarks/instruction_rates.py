"""Instructions of each kernel a multiply-accumulate and a value, on emulated cores.

    python benchmarks/instruction_rates.py [model.int8.tflite ...]  > firmware_export/aot/rates.py

QEMU counts the instructions of every layer of one window; least squares over all layers of all
models give the rates. A trace of every instruction gives the mix of loads, taken branches, 16-bit
and vector instructions that an estimate of cycles rests on. Beside the models that are named, small
ones of every operator take part; the trace is of these alone.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from aot_layer_counts import instructions_by_layer, program_of
from aot_rate_models import rate_models, stream_models

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.figures import LayerFigure
from firmware_export.boards import find_board
from firmware_export.boards.board import Board
from firmware_export.boards.toolchain import build_image
from firmware_export.boards.tools import find_tool

# Core whose kernels are measured -> the board that runs it.
BOARDS = {"m3": "qemu-an385", "m4": "qemu-an386", "m55": "qemu-an547"}
OPTIMIZE = "-O2"
_CLASSES = ("load", "store", "taken", "narrow", "mla", "long", "vector")
_PROGRAM_COUNTER = re.compile(r"\[[0-9a-f]+/([0-9a-f]+)/")
_LOAD = re.compile(r"^(v?ldr|ldm|pop|vld|vpop)")
_STORE = re.compile(r"^(v?str|stm|push|vst|vpush)")


@dataclass(frozen=True)
class Instruction:
    """One of the image: mnemonic and bytes."""

    mnemonic: str
    n_bytes: int


def main(paths: list[str]) -> None:
    small = rate_models()
    whole = [Path(path).read_bytes() for path in paths] + small
    models = [(content, None) for content in whole] + stream_models()
    rates, mixes = {}, {}
    for core, board in BOARDS.items():
        rows: dict[str, list[tuple[LayerFigure, int]]] = defaultdict(list)
        for content, hop in models:
            compiled = compile_model(content, CompileSettings(core=core, hop=hop))
            counts = instructions_by_layer(compiled, find_board(board), optimize=OPTIMIZE)
            for layer, count in zip(compiled.layers, counts, strict=True):
                rows[layer.kernel].append((layer, count))
        rates[core] = {kernel: fit(found) for kernel, found in sorted(rows.items())}
        mixes[core] = sum((mix_of(content, core) for content in small), Counter())
    print(module_text(rates, mixes))


def fit(found: list[tuple[LayerFigure, int]]) -> tuple[float, ...]:
    """Instructions a multiply-accumulate, value, result and run, none below 0.

    Values count for kernels without multiply-accumulates alone: elsewhere they only follow these.
    """
    rows = np.array(
        [
            (layer.macs, 0 if layer.macs else layer.elements, layer.results, layer.times)
            for layer, _ in found
        ],
        float,
    )
    # Between absolute errors, where large layers alone count, and relative ones.
    weights = np.sqrt(np.array([count for _, count in found], float))
    rates, _ = nnls(rows / weights[:, None], weights)
    return tuple(float(rate) for rate in rates)


def mix_of(content: bytes, core: str) -> Counter[str]:
    """How many of each class of instructions one window executes."""
    mix: Counter[str] = Counter()
    compiled = compile_model(content, CompileSettings(core=core))
    with tempfile.TemporaryDirectory() as name:
        folder, board = Path(name), find_board(BOARDS[core])
        sources = {**compiled.files, "main.c": program_of(compiled, "", last="window_is_over();")}
        elf = build_image(board, sources, out=folder, optimize=OPTIMIZE).elf
        instructions, symbols = _read_image(elf)
        first, last = symbols["kd_model_invoke"], symbols["window_is_over"]
        inside, after = False, 0
        for counter in _trace(board, elf, folder):
            inside = (inside or counter == first) and counter != last
            if inside:
                now = instructions[counter]
                _classify(mix, now)
                mix["taken"] += counter != after
                after = counter + now.n_bytes
    return mix


def _classify(mix: Counter[str], now: Instruction) -> None:
    mix["all"] += 1
    mix["narrow"] += now.n_bytes == 2
    mix["load"] += bool(_LOAD.match(now.mnemonic))
    mix["store"] += bool(_STORE.match(now.mnemonic))
    mix["mla"] += now.mnemonic in ("mla", "mls")
    mix["long"] += now.mnemonic in ("smull", "umull", "smlal", "umlal")
    mix["vector"] += now.mnemonic.startswith("v")


def _trace(board: Board, elf: Path, folder: Path) -> Iterator[int]:
    """The address of every instruction that is executed, in order."""
    log = folder / "trace.log"
    command = [find_tool("qemu-system-arm"), "-M", board.emulator.machine, "-kernel", str(elf)]
    command += ["-display", "none", "-monitor", "none", "-nic", "none", "-serial", "null"]
    command += ["-semihosting-config", "enable=on,target=native"]
    command += ["-singlestep", "-d", "exec,nochain", "-D", str(log)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    with open(log, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            found = _PROGRAM_COUNTER.search(line)
            if found:
                yield int(found[1], 16)


def _read_image(elf: Path) -> tuple[dict[int, Instruction], dict[str, int]]:
    listing = subprocess.run(
        ["arm-none-eabi-objdump", "-d", str(elf)], capture_output=True, text=True, check=True
    ).stdout
    instructions, symbols = {}, {}
    for line in listing.splitlines():
        if head := re.match(r"^([0-9a-f]+) <(\w+)>:", line):
            symbols[head[2]] = int(head[1], 16)
        elif cells := re.match(r"^\s*([0-9a-f]+):\t([0-9a-f ]+?)\s*\t(\S+)", line):
            n_bytes = len(cells[2].replace(" ", "")) // 2
            instructions[int(cells[1], 16)] = Instruction(cells[3], n_bytes)
    return instructions, symbols


def module_text(rates: dict, mixes: dict[str, Counter[str]]) -> str:
    lines = [
        '"""Figures that benchmarks/instruction_rates.py measured: instructions, not cycles."""',
        "",
        "from __future__ import annotations",
        "",
        "# Core -> kernel -> instructions a multiply-accumulate, value, result, run; gcc 12.2 -O2.",
        "# Values count where there are no multiply-accumulates alone.",
        "RATES: dict[str, dict[str, tuple[float, float, float, float]]] = {",
    ]
    for core, kernels in rates.items():
        lines.append(f'    "{core}": {{')
        for kernel, (*by_value, run) in kernels.items():
            cells = ", ".join(f"{rate:.2f}" for rate in by_value)
            lines.append(f'        "{kernel}": ({cells}, {run:.0f}),')
        lines.append("    },")
    lines += [
        "}",
        "",
        "# Core -> shares of executed instructions; 'mla' and 'long' multiplications (64 bits),",
        "# 'narrow' ones of 16 bits, 'vector' ones of Helium.",
        "MIXES: dict[str, dict[str, float]] = {",
    ]
    for core, mix in mixes.items():
        cells = [f'        "{name}": {mix[name] / mix["all"]:.3f},' for name in _CLASSES]
        lines += [f'    "{core}": {{', *cells, "    },"]
    return "\n".join([*lines, "}"])


if __name__ == "__main__":
    main(sys.argv[1:])
