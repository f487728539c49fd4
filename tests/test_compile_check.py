"""C for every core without a warning. Oracle: the compilers themselves."""

from __future__ import annotations

import pytest
from emulated import EMULATED
from programs import need

from firmware_export.aot.cores import CORES, checked_cores
from firmware_export.boards import find_board
from firmware_export.boards.compile_check import compile_check
from firmware_export.boards.toolchain import COMMON, board_files, board_sources
from kd_edge.base.errors import KdEdgeError


def skip_without_compiler(core: str) -> None:
    need(CORES[core].compiler or "clang")


@pytest.mark.parametrize("core", checked_cores())
def test_plain_c_compiles_for_every_core_and_variants_where_they_belong(core, tmp_path):
    skip_without_compiler(core)
    (tmp_path / "kd_x.c").write_text(
        "#include <stdint.h>\n#include <string.h>\n"
        "void kd_x(int8_t *a, const int8_t *b);\n"
        "void kd_x(int8_t *a, const int8_t *b) { memcpy(a, b, 77); }\n"
    )
    (tmp_path / "kd_x_dsp.c").write_text(
        "#include <arm_acle.h>\nint32_t kd_x(int16x2_t a, int16x2_t b);\n"
        "int32_t kd_x(int16x2_t a, int16x2_t b) { return __smuad(a, b); }\n"
    )
    (tmp_path / "kd_x_mve.c").write_text(
        "#include <arm_mve.h>\nint32_t kd_x(int8x16_t a);\n"
        "int32_t kd_x(int8x16_t a) { return vaddvq_s8(a); }\n"
    )
    done = compile_check(sorted(tmp_path.glob("*.c")), core=core)
    expected = {"m4": 2, "m7": 2, "m33": 2, "m55": 3}.get(core, 1)
    assert len(done.files) == expected
    assert len(done.left_out) == 3 - expected


def test_a_warning_is_refused_by_the_compile_check(tmp_path):
    skip_without_compiler("host")
    (tmp_path / "bad.c").write_text("signed char f(int x);\nsigned char f(int x) { return x; }\n")
    with pytest.raises(KdEdgeError) as caught:
        compile_check([tmp_path / "bad.c"], core="host")
    assert caught.value.code == "KD_COMPILE"
    assert "bad.c:2" in caught.value.where


@pytest.mark.parametrize("name", EMULATED)
@pytest.mark.parametrize("optimize", ["-Os", "-O3"])
def test_the_board_layer_compiles_without_a_warning(name, optimize, tmp_path):
    board = find_board(name)
    skip_without_compiler(board.core)
    for file, text in board_files(board).items():
        (tmp_path / file).write_text(text)
    done = compile_check(
        board_sources(board),
        core=board.core,
        include_dirs=[tmp_path, COMMON],
        optimize=optimize,
    )
    assert done.files
