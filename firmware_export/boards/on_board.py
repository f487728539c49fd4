"""Generated C on an emulated board: its answers, instructions, flash and RAM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_export import c_text
from firmware_export.aot.compiler import Compiled
from firmware_export.aot.constants import C_TYPES, integer
from firmware_export.boards.board import Board
from firmware_export.boards.emulator import run_image
from firmware_export.boards.toolchain import FirmwareImage, build_image
from kd_edge.base.flatbuffer import Tensor

Window = tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class BoardRun:
    """What a model did on a board.

    Attributes:
        outputs: raw, for each window.
        instructions: executed for each window, from inputs in place to outputs in place; on a
            streamed model for all steps of the window; on one with a hop a window is one step. Not
            cycles.
    """

    outputs: tuple[Window, ...]
    instructions: tuple[float, ...]


def run_on_board(
    board: Board,
    models: Sequence[tuple[Compiled, Sequence[Window]]],
    out: Path,
    *,
    optimize: str = "-O2",
    timeout_s: float = 120,
) -> tuple[tuple[BoardRun, ...], FirmwareImage]:
    """Build one image of the models with their windows in it, run it, and read what it says.

    Args:
        models: compiled for the board's core, each with a prefix of its own, and windows of raw
            inputs in the model's order.
        out: a folder for sources and image.
        optimize: one option of gcc.

    Raises as `build_image` and `run_image`.
    """
    sources: dict[str, str] = {"main.c": _main(models)}
    for compiled, _ in models:
        sources |= compiled.files
    image = build_image(board, sources, out=out, optimize=optimize)
    run = run_image(board, image.elf, timeout_s=timeout_s)
    lines = iter(run.output.splitlines())
    return tuple(_read(compiled, windows, lines, board) for compiled, windows in models), image


@dataclass(frozen=True)
class BoardSize:
    """Bytes of an image that does nothing but run a model.

    Attributes:
        flash_bytes: the whole image: start-up, board layer, engine, model.
        ram_bytes: what the model adds to the variables of an image without it: arena and engine;
            no stack.
    """

    flash_bytes: int
    ram_bytes: int


def measure_size(
    board: Board, compiled: Compiled, out: Path, *, optimize: str = "-O2"
) -> BoardSize:
    """Link the smallest image that runs the model, and one without it.

    Raises as `build_image`.
    """
    prefix = compiled.settings.prefix
    run = f"{prefix}_step" if compiled.settings.by_steps else f"{prefix}_invoke"
    main = f'#include "{prefix}.h"\nint main(void)\n{{\n    (void){run}();\n'
    main += f"    return (int)*{prefix}_output_0();\n}}\n"
    with_model = build_image(
        board, {**compiled.files, "main.c": main}, out=out / "with", optimize=optimize
    )
    empty = {"main.c": "int main(void)\n{\n    return 0;\n}\n"}
    without = build_image(board, empty, out=out / "without", optimize=optimize)
    return BoardSize(with_model.flash_bytes, with_model.ram_bytes - without.ram_bytes)


def _read(compiled: Compiled, windows: Sequence[Window], lines, board: Board) -> BoardRun:
    outputs, instructions = [], []
    for _ in windows:
        ticks, *cells = next(lines).split()
        instructions.append(board.instructions(int(ticks)))
        outputs.append(
            tuple(
                np.frombuffer(bytes.fromhex(cell), tensor.dtype).reshape(tensor.shape)
                for cell, tensor in zip(cells, compiled.graph.outputs, strict=True)
            )
        )
    return BoardRun(tuple(outputs), tuple(instructions))


def _main(models: Sequence[tuple[Compiled, Sequence[Window]]]) -> str:
    parts = ["#include <stddef.h>", "#include <string.h>", '#include "kd_board.h"']
    parts += [f'#include "{compiled.settings.prefix}.h"' for compiled, _ in models]
    parts.append(_WRITING)
    parts += [_model_function(compiled, windows) for compiled, windows in models]
    calls = "\n".join(f"    run_{compiled.settings.prefix}();" for compiled, _ in models)
    parts.append(f"int main(void)\n{{\n{calls}\n    return 0;\n}}\n")
    return "\n".join(parts)


def _model_function(compiled: Compiled, windows: Sequence[Window]) -> str:
    prefix = compiled.settings.prefix
    steps = f"{prefix.upper()}_STEPS" if compiled.settings.stream else "1"
    arrays = [
        _array(f"{prefix}_window_{p}", [window[p] for window in windows], tensor)
        for p, tensor in enumerate(compiled.graph.inputs)
    ]
    run = f"(void){prefix}_step();" if compiled.settings.by_steps else f"{prefix}_invoke();"
    fills = "\n".join(
        f"            memcpy({prefix}_input_{p}(), "
        f"{prefix}_window_{p}[window] + step * {prefix.upper()}_INPUT_{p}_SIZE, "
        f"{prefix.upper()}_INPUT_{p}_SIZE * sizeof *{prefix}_input_{p}());"
        for p in range(len(compiled.graph.inputs))
    )
    writes = "\n".join(
        f"        write_hex({prefix}_output_{p}(), "
        f"{prefix.upper()}_OUTPUT_{p}_SIZE * sizeof *{prefix}_output_{p}());"
        for p in range(len(compiled.graph.outputs))
    )
    reset = f"    {prefix}_reset();\n" if compiled.settings.carry_state else ""
    return "\n".join(
        [
            *arrays,
            f"static void run_{prefix}(void)\n{{\n{reset}"
            f"    for (size_t window = 0; window < {len(windows)}u; window++) {{\n"
            "        uint64_t ticks = 0;\n"
            f"        for (size_t step = 0; step < {steps}; step++) {{\n{fills}\n"
            "            const uint64_t start = kd_board_ticks();\n"
            f"            {run}\n"
            "            ticks += kd_board_ticks() - start;\n        }\n"
            f"        write_number(ticks);\n{writes}\n"
            '        kd_board_write("\\n", 1);\n    }\n}\n',
        ]
    )


def _array(name: str, arrays: list[np.ndarray], tensor: Tensor) -> str:
    size = arrays[0].size
    rows = []
    for array in arrays:
        flat = array.reshape(-1).tolist()
        cells = [c_text.float32(v) if array.dtype == np.float32 else integer(int(v)) for v in flat]
        rows.append("    {\n" + c_text.rows(cells, indent=8) + "\n    },")
    c_type = C_TYPES[tensor.dtype]
    return f"static const {c_type} {name}[{len(arrays)}][{size}] = {{\n" + "\n".join(rows) + "\n};"


_WRITING = """
static void write_number(uint64_t value)
{
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value != 0u);
    kd_board_write(digits + first, sizeof digits - first);
}

static void write_hex(const void *values, size_t size)
{
    const unsigned char *bytes = values;
    kd_board_write(" ", 1);
    for (size_t i = 0; i < size; i++) {
        const char pair[2] = {"0123456789abcdef"[bytes[i] >> 4], "0123456789abcdef"[bytes[i] & 15]};
        kd_board_write(pair, 2);
    }
}
"""
