"""The board's end compiles without a warning for every core, and stays small."""

from __future__ import annotations

import re
import subprocess

import pytest
from link_harness import STRICT
from programs import need

from firmware_export.aot.cores import CORES
from firmware_export.link_header import LINK_SOURCES

SOURCES = sorted(LINK_SOURCES.glob("*.c"))
# Bytes of flash on a Cortex-M4 with -Os: link, and text commands.
MOST_FLASH = 5_750
MOST_STACK = 600


def compile_each(compiler, flags, folder):
    assert SOURCES
    for source in SOURCES:
        subprocess.run(
            [compiler, *STRICT, "-ffreestanding", "-Os", *flags, "-c", source,
             "-o", folder / f"{source.stem}.o"],
            check=True,
        )  # fmt: skip


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_link_compiles_for_this_machine(compiler, tmp_path):
    need(compiler)
    compile_each(compiler, (), tmp_path)


@pytest.mark.gcc_arm
@pytest.mark.parametrize("name", [name for name in CORES if name != "host"])
def test_the_link_compiles_for_every_core(name, tmp_path):
    core = CORES[name]
    need(core.compiler)
    headers = (f"-I{core.libc}",) if core.libc else ()
    compile_each(core.compiler, (*core.flags, *headers), tmp_path)


def test_the_headers_can_be_used_from_cpp(tmp_path):
    need("g++")
    use = tmp_path / "use.cc"
    headers = sorted(path.name for path in LINK_SOURCES.glob("*.h"))
    assert "kd_link.h" in headers
    use.write_text("".join(f'#include "{name}"\n#include "{name}"\n' for name in headers))
    subprocess.run(
        ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{LINK_SOURCES}", "-c", use,
         "-o", tmp_path / "use.o"],
        check=True,
    )  # fmt: skip


@pytest.mark.gcc_arm
def test_the_link_stays_small_on_a_cortex_m4(tmp_path):
    """Oracle: arm-none-eabi-size and -fstack-usage; no variable of its own beside kd_link."""
    need("arm-none-eabi-gcc", "arm-none-eabi-size")
    compile_each("arm-none-eabi-gcc", (*CORES["m4"].flags, "-fstack-usage"), tmp_path)
    sizes = subprocess.run(
        ["arm-none-eabi-size", "-t", *tmp_path.glob("*.o")],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    text, data, bss = (int(number) for number in sizes.splitlines()[-1].split()[:3])
    assert text <= MOST_FLASH
    assert (data, bss) == (0, 0)
    frames = re.findall(r"\t(\d+)\t(\w+)", "".join(p.read_text() for p in tmp_path.glob("*.su")))
    assert {kind for _, kind in frames} == {"static"}
    assert max(int(n_bytes) for n_bytes, _ in frames) <= MOST_STACK / 4
