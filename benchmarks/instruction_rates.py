"""Instructions of each kernel a multiply-accumulate and a value, from traces of emulated cores.

    python benchmarks/instruction_rates.py [model.int8.tflite ...]  > firmware_export/aot/rates.py

Every instruction that QEMU executes for one window is traced; calls of kernels divide the trace
into layers. Least squares over all layers of all models give the rates, and the trace's mix of
loads, taken branches, 16-bit and vector instructions is what an estimate of cycles rests on. Beside
the models that are named, small ones of every operator take part.
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

from aot_rate_models import rate_models

from firmware_export.aot.compiler import Compiled, CompileSettings, compile_model
from firmware_export.aot.figures import LayerFigure
from firmware_export.aot.program import StepCalls
from firmware_export.boards import find_board
from firmware_export.boards.toolchain import build_image, find_tool

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
    models = [Path(path).read_bytes() for path in paths] + rate_models()
    rates, mixes = {}, {}
    for core in BOARDS:
        rows: dict[tuple[str, str], list[tuple[LayerFigure, int]]] = defaultdict(list)
        mix: Counter[str] = Counter()
        for content in models:
            compiled = compile_model(content, CompileSettings(core=core))
            for layer, count in traced(compiled, mix):
                rows[layer.kernel, layer.variant].append((layer, count))
        for key, found in rows.items():
            rates.setdefault(key, fit(found))
        mixes[core] = mix
    print(module_text(rates, mixes))


def traced(compiled: Compiled, mix: Counter[str]) -> Iterator[tuple[LayerFigure, int]]:
    """Every layer with the instructions of one window; adds to the mix."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        board = find_board(BOARDS[compiled.core.name])
        sources = {**compiled.files, "main.c": _main(compiled)}
        elf = build_image(board, sources, out=folder, optimize=OPTIMIZE).elf
        instructions, symbols = _read_image(elf)
        counts: Counter[int] = Counter()
        layers = [*_calls(compiled)]
        entries = {symbols[layer.kernel] for layer in compiled.layers}
        first, last = symbols["kd_model_invoke"], symbols["window_is_over"]
        inside, call, before, last_counter = False, -1, None, 0
        for counter in _trace(board, elf, folder):
            inside = (inside or counter == first) and counter != last
            if not inside:
                continue
            if counter in entries and before is not None and before.mnemonic.startswith("b"):
                # A kernel that another kernel calls belongs to its caller's layer.
                call += _is_next(layers, call + 1, counter, symbols)
            if call >= 0:
                counts[call] += 1
                _classify(mix, instructions[counter])
                mix["taken"] += counter != last_counter + before.n_bytes
            before, last_counter = instructions[counter], counter
    totals: Counter[int] = Counter()
    for position, layer_index in enumerate(_order(compiled)):
        totals[layer_index] += counts[position]
    for index, layer in enumerate(compiled.layers):
        yield layer, totals[index]


def _order(compiled: Compiled) -> Iterator[int]:
    """Index of the layer of each executed call, in order."""
    index = 0
    for item in compiled.schedule.items:
        if not isinstance(item, StepCalls):
            yield index
            index += 1
            continue
        for _ in range(item.steps):
            yield from range(index, index + len(item.calls))
        index += len(item.calls)


def _calls(compiled: Compiled) -> Iterator[str]:
    for index in _order(compiled):
        yield compiled.layers[index].kernel


def _is_next(layers: list[str], call: int, counter: int, symbols: dict[str, int]) -> int:
    return int(call < len(layers) and symbols[layers[call]] == counter)


def _classify(mix: Counter[str], now: Instruction) -> None:
    mix["all"] += 1
    mix["narrow"] += now.n_bytes == 2
    mix["load"] += bool(_LOAD.match(now.mnemonic))
    mix["mla"] += now.mnemonic in ("mla", "mls")
    mix["long"] += now.mnemonic in ("smull", "umull", "smlal", "umlal")
    mix["store"] += bool(_STORE.match(now.mnemonic))
    mix["vector"] += now.mnemonic.startswith("v")


def _trace(board, elf: Path, folder: Path) -> Iterator[int]:
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


def _main(compiled: Compiled) -> str:
    """One window of noise, between two marks that the linker keeps."""
    fills = "\n".join(
        f"    fill((uint8_t *)kd_model_input_{i}(), sizeof *kd_model_input_{i}() * "
        f"KD_MODEL_INPUT_{i}_SIZE);"
        for i in range(len(compiled.graph.inputs))
    )
    return f"""#include <stddef.h>
#include "kd_model.h"
static void fill(uint8_t *bytes, size_t n)
{{
    uint32_t value = 1u;
    while (n--) {{
        value = value * 1664525u + 1013904223u;
        *bytes++ = (uint8_t)(value >> 24);
    }}
}}
__attribute__((noinline)) void window_is_over(void);
void window_is_over(void)
{{
    __asm__ volatile("");
}}
int main(void)
{{
{fills}
    kd_model_invoke();
    window_is_over();
    return 0;
}}
"""


def fit(found: list[tuple[LayerFigure, int]]) -> tuple[float, ...]:
    """Instructions a multiply-accumulate, value, result and run, none below 0.

    Relative errors count, so that small layers have their say.
    """
    rows = np.array(
        [(layer.macs, layer.elements, layer.results, layer.times) for layer, _ in found], float
    )
    counts = np.array([count for _, count in found], float)
    rates, _ = nnls(rows / counts[:, None], np.ones(len(counts)))
    return tuple(float(rate) for rate in rates)


def module_text(rates: dict, mixes: dict[str, Counter[str]]) -> str:
    lines = [
        '"""Figures that benchmarks/instruction_rates.py measured: instructions, not cycles."""',
        "",
        "from __future__ import annotations",
        "",
        "# (kernel, variant) -> instructions a MAC, value, result and run; gcc 12.2 -O2.",
        "RATES: dict[tuple[str, str], tuple[float, float, float, float]] = {",
    ]
    for (kernel, variant), (*by_value, run) in sorted(rates.items()):
        cells = ", ".join(f"{rate:.2f}" for rate in by_value)
        lines.append(f'    ("{kernel}", "{variant}"): ({cells}, {run:.0f}),')
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
