"""The one way to compile and measure. Oracles: binutils' own totals; sizes counted by hand."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from emulated import QEMU_BOARDS
from programs import need

from firmware_export.aot.cores import CORES
from firmware_export.boards import find_board
from firmware_export.boards.compiling import (
    Section,
    can_measure,
    measure_code,
    measure_objects,
    read_sections,
    run_compiler,
)
from firmware_export.boards.toolchain import build_image
from kd_edge.base.errors import KdEdgeError

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {
    "one.h": "extern const int table[10];\nint used(int);\n",
    "one.c": '#include "one.h"\nconst int table[10] = {1};\nint zeros[25];\nint first = 7;\n',
    "two.c": '#include "one.h"\nint used(int i)\n{\n    return table[i] + 1;\n}\n',
}


def test_no_other_module_runs_a_compiler_or_reads_sizes():
    """Oracle: the source itself: who names a flag of compilers, or binutils' listing."""
    texts = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for package in ("kd_edge", "firmware_export")
        for path in ROOT.glob(f"{package}/**/*.py")
    }
    assert [name for name, text in texts.items() if '"-A"' in text] == [
        "firmware_export/boards/compiling.py"
    ]
    compiling = {name for name, text in texts.items() if '"-std=c' in text}
    runners = ("boards.compiling import", "phone.clang import")  # for this machine's, for others'
    callers = {name for name in compiling if any(each in texts[name] for each in runners)}
    assert compiling - callers == {"firmware_export/boards/compiling.py"}


@pytest.mark.gcc_arm
@pytest.mark.parametrize("core", ["m0plus", "m4", "rv32imc"])
def test_sections_add_up_to_what_binutils_counts(core, tmp_path):
    facts = CORES[core]
    need(facts.compiler)
    measured = measure_objects(SOURCES, facts, ("-std=c99", "-O2"))
    for name, text in SOURCES.items():
        (tmp_path / name).write_text(text)
    command = [facts.compiler, *facts.flags, "-std=c99", "-O2", "-c", "one.c", "two.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    size = facts.compiler.removesuffix("gcc") + "size"
    listing = subprocess.run(
        [size, "one.o", "two.o"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    rows = [[int(cell) for cell in row.split()[:3]] for row in listing.stdout.splitlines()[1:]]
    assert measured.flash_bytes == sum(text + data for text, data, _ in rows)
    assert measured.ram_bytes == sum(data + bss for _, data, bss in rows) == 104
    assert measured.of("one.c").flash_bytes == 44
    assert measured.of("two.c").ram_bytes == 0
    assert measured.how.startswith(f"{facts.compiler} ")
    assert measured.how.endswith("-O2")


def test_flash_and_ram_are_told_apart_by_the_sections_name():
    both = {name: Section("x", name, 1) for name in (".text.f", ".data.x", ".bss.y", ".sbss")}
    assert [s.in_flash for s in both.values()] == [True, True, False, False]
    assert [s.in_ram for s in both.values()] == [False, True, True, True]


def test_a_core_without_a_compiler_is_not_measured(monkeypatch):
    assert not can_measure(CORES["host"])
    monkeypatch.setenv("PATH", "")
    assert measure_code(SOURCES, CORES["m4"], "-Os") is None
    with pytest.raises(KdEdgeError) as caught:
        measure_objects(SOURCES, CORES["m4"], ("-Os",))
    assert caught.value.code == "KD_MISSING_TOOL"


def test_what_a_compiler_refuses_is_told_with_its_own_words(tmp_path):
    need("cc", "size")
    (tmp_path / "bad.c").write_text("int f(void) { return missing; }\n")
    with pytest.raises(KdEdgeError, match="cc refuses the sample") as caught:
        run_compiler(["cc", "-c", "bad.c"], tmp_path, what="the sample", hint="mend it")
    assert caught.value.code == "KD_COMPILE"
    assert "missing" in caught.value.where
    assert caught.value.hint == "mend it"
    (tmp_path / "good.c").write_text("int kept[30] = {1};\n")
    run_compiler(["cc", "-c", "good.c"], tmp_path, what="the sample")
    assert read_sections("cc", tmp_path / "good.o") == (Section("good.o", ".data", 120),)


@pytest.mark.parametrize("name", QEMU_BOARDS)
def test_an_image_holds_nothing_of_a_c_library_for_its_start_alone(name, tmp_path):
    """Oracle: the image's own table of symbols. Compilers made calls of the start's loops."""
    sources = {"main.c": "int main(void)\n{\n    return 0;\n}\n"}
    symbols = build_image(find_board(name), sources, out=tmp_path, optimize="-O3").elf.read_bytes()
    assert b"\0kd_board_run\0" in symbols
    assert b"\0memcpy\0" not in symbols
    assert b"\0memset\0" not in symbols
