"""Instructions of each layer of one window, as QEMU counts them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from waiting import BOUND_S

from firmware_export.aot.compiler import Compiled
from firmware_export.boards.board import Board
from firmware_export.boards.emulator import run_image
from firmware_export.boards.toolchain import build_image


def instructions_by_layer(compiled: Compiled, board: Board, *, optimize: str) -> list[int]:
    """Instructions of each layer in one window of noise, all turns together; the same every time.

    Args:
        compiled: with the prefix kd_model, for the board's core.
        board: an emulated one that counts instructions.
        optimize: one option of gcc.
    """
    with tempfile.TemporaryDirectory() as name:
        sources = {**compiled.files, "main.c": program_of(compiled, _COUNT, last="report();")}
        image = build_image(
            board,
            sources,
            out=Path(name),
            optimize=optimize,
            defines={"KD_MODEL_PROFILE": 1},
        )
        cells = [
            int(cell) for cell in run_image(board, image.elf, timeout_s=BOUND_S).output.split()
        ]
    marks, *ticks = cells
    turns = [layer.times for layer in compiled.layers]
    return [
        max(1, board.instructions(tick - n * marks)) for tick, n in zip(ticks, turns, strict=True)
    ]


# Ticks between two marks belong to the layer of the second; two marks in a row tell their own cost.
_COUNT = """
static uint64_t before;
static uint64_t ticks[KD_MODEL_LAYER_COUNT];
void kd_profile_mark(uint32_t layer)
{
    const uint64_t now = kd_board_ticks();
    ticks[layer] += now - before;
    before = kd_board_ticks();
}
static void write_number(uint64_t value)
{
    char digits[21];
    size_t first = sizeof digits;
    digits[--first] = ' ';
    do {
        digits[--first] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value != 0u);
    kd_board_write(digits + first, sizeof digits - first);
}
static void report(void)
{
    uint64_t counts[KD_MODEL_LAYER_COUNT];
    for (uint32_t i = 0; i < KD_MODEL_LAYER_COUNT; i++) {
        counts[i] = ticks[i];
    }
    ticks[0] = 0u;
    before = kd_board_ticks();
    kd_profile_mark(0u);
    write_number(ticks[0]);
    for (uint32_t i = 0; i < KD_MODEL_LAYER_COUNT; i++) {
        write_number(counts[i]);
    }
}
"""


def program_of(compiled: Compiled, functions: str, *, last: str) -> str:
    """A program that runs one window of noise.

    Args:
        functions: C that stands before main(); '' where it does not count.
        last: a statement behind the window.
    """
    fills = "\n".join(
        f"    fill((uint8_t *)kd_model_input_{i}(), sizeof *kd_model_input_{i}() * "
        f"KD_MODEL_INPUT_{i}_SIZE);"
        for i in range(len(compiled.graph.inputs))
    )
    begin = "    before = kd_board_ticks();" if functions else ""
    run = "kd_model_step" if compiled.settings.hop else "kd_model_invoke"
    return f"""#include <stddef.h>
#include "kd_board.h"
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
{functions}
int main(void)
{{
{fills}
{begin}
    (void){run}();
    {last}
    return 0;
}}
"""
