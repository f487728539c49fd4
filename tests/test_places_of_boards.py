"""One more operator, kernel, core, board, project and reset strategy, each from outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")

from adding import ROOT, added
from aot_harness import check_exact
from programs import need
from tflite_samples import GraphBuilder, options_of, write_conv_model

from firmware_export.aot.checks import elements, require_types
from firmware_export.aot.compiler import compile_model
from firmware_export.aot.cores import ARM, CORES, Core, checked_cores
from firmware_export.aot.forms import Form
from firmware_export.aot.kernels import KERNEL_FOLDERS
from firmware_export.aot.lower import LOWERINGS
from firmware_export.aot.operator_table import OPERATORS, Operator
from firmware_export.aot.operator_types import OperatorTypes
from firmware_export.aot.program import Call
from firmware_export.aot.settings import CompileSettings
from firmware_export.boards import BOARDS, read_board
from firmware_export.boards.compile_check import compile_check
from firmware_export.boards.emulator import run_image
from firmware_export.boards.kinds import KINDS, BoardKind
from firmware_export.boards.toolchain import build_image
from kd_edge.base.errors import KdEdgeError

HEADER = """#ifndef KD_HIGHEST_S8_H
#define KD_HIGHEST_S8_H
#include <stdint.h>
typedef struct {
    int32_t rows;
    int32_t depth;
} kd_highest_s8_params;
void kd_highest_s8(const kd_highest_s8_params *p, const int8_t *x, int8_t *out);
#endif
"""


SOURCE = """#include "kd_highest_s8.h"
void kd_highest_s8(const kd_highest_s8_params *p, const int8_t *x, int8_t *out)
{
    for (int32_t row = 0; row < p->rows; row++) {
        int8_t most = x[0];
        for (int32_t i = 1; i < p->depth; i++) {
            most = x[i] > most ? x[i] : most;
        }
        out[row] = most;
        x += p->depth;
    }
}
"""


def lower_highest(node, core) -> tuple[Call, ...]:
    del core
    require_types(node)
    source, result = node.inputs[0], node.outputs[0]
    depth = source.shape[-1]
    params = {"rows": elements(source) // depth, "depth": depth}
    return (Call("kd_highest_s8", params, (source, result), writes=(1,)),)


def highest_model() -> bytes:
    graph = GraphBuilder()
    x = graph.tensor("x", (1, 5, 7), scale=0.1)
    y = graph.tensor("y", (1, 5, 1), scale=0.1)
    axis = graph.constant("axis", np.array([2], np.int32))
    graph.operator("REDUCE_MAX", (x, axis), (y,), options_of("ReducerOptions", keepDims=True))
    return graph.content((x,), (y,))


def test_an_operator_and_its_kernel(tmp_path):
    """Oracle: TFLite Micro's REDUCE_MAX, bit for bit, under the host's sanitizers."""
    need("gcc")
    (tmp_path / "kd_highest_s8.h").write_text(HEADER)
    (tmp_path / "kd_highest_s8.c").write_text(SOURCE)
    highest = Operator("REDUCE_MAX", OperatorTypes(("int8",)), Form(2, 2, kind="ReducerOptions"))
    with pytest.raises(KdEdgeError, match="no such operator"):
        compile_model(highest_model(), CompileSettings())
    with added(
        (OPERATORS, "REDUCE_MAX", highest),
        (LOWERINGS, "REDUCE_MAX", lower_highest),
        (KERNEL_FOLDERS, "mine", tmp_path),
    ):
        (compiled,) = check_exact([highest_model()])
        assert compiled.files["kd_highest_s8.c"].endswith(SOURCE)


def test_a_core(tmp_path):
    mine = Core("m23", "Cortex-M23", ("-mcpu=cortex-m23", "-mthumb"), ARM)
    path = write_conv_model(tmp_path / "m.tflite", quantised=True)
    with added((CORES, "m23", mine)):
        compiled = compile_model(path, CompileSettings(core="m23"))
        assert compiled.core is mine
        assert "m23" in checked_cores()
        need(ARM.compiler)
        for name, text in compiled.files.items():
            (tmp_path / name).write_text(text)
        found = compile_check(sorted(tmp_path.glob("*.c")), core="m23", include_dirs=[tmp_path])
        assert found.compilers == (ARM.compiler,)


def board_like(name: str, other: str, folder: Path):
    """A board.toml of one's own, of a known board under another name."""
    text = (ROOT / "firmware_export/boards" / other / "board.toml").read_text(encoding="utf-8")
    (folder / name).mkdir()
    path = folder / name / "board.toml"
    path.write_text(text.replace(f'name = "{other}"', f'name = "{name}"'), encoding="utf-8")
    return read_board(path)


MAIN = (
    '#include "kd_board.h"\nint main(void)\n{\n    kd_board_write("ours", 4);\n    return 7;\n}\n'
)


def ran(board, folder: Path):
    image = build_image(board, {"main.c": MAIN}, out=folder / "image")
    return run_image(board, image.elf, count_instructions=board.counts_instructions)


@pytest.mark.gcc_arm
@pytest.mark.qemu
def test_a_board(tmp_path):
    with added((BOARDS, "mine", board_like("mine", "qemu-an385", tmp_path))):
        found = ran(BOARDS.find("mine"), tmp_path)
        assert (found.output, found.exit_status) == ("ours", 7)


def test_a_kind_of_board(tmp_path):
    """A process that another program starts, here `env`."""
    need("cc", "env")
    wrapped = BoardKind(
        name="wrapped process",
        of=lambda board: board.name == "wrapped",
        needs=("uart", "timer"),
        projects=lambda board: ("make",),
        tools=lambda board: ("cc", "env"),
        command=lambda board, start: ("env", "-i", str(start.image)),
        startup=lambda board: ("kd_board_host.c",),
        generated=("kd_board_config.h",),
    )
    with added((KINDS, "wrapped process", wrapped)):
        board = board_like("wrapped", "host", tmp_path)
        assert board.kind is wrapped
        assert ran(board, tmp_path).output == "ours"
