"""Boards: images that really boot, ports that really carry bytes, sources for every core."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import serial
from emulated import EMULATED, QEMU, QEMU_BOARDS, parameters

from firmware_export.boards import BOARDS, Board, find_board
from firmware_export.boards.board import INSTRUCTION_NS
from firmware_export.boards.emulator import run_image, start
from firmware_export.boards.toolchain import build_image
from kd_edge.base.errors import ExitStatus, KdEdgeError

STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wshadow", "-Werror")

PRINT = r"""
#include "kd_board.h"
static void print(uint64_t value) {
    char text[24];
    size_t at = sizeof text;
    text[--at] = '\n';
    do {
        text[--at] = (char)('0' + (int)(value % 10u));
        value /= 10u;
    } while (value != 0u);
    kd_board_write(text + at, sizeof text - at);
}
"""

# Memory as C wants it, floating point, Helium where there is some, ticks, speeds, stack.
BOOT = (
    PRINT
    + r"""
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
static int32_t sum(void) { return vaddvq_s32(vdupq_n_s32(3)); }
#else
static int32_t sum(void) { return 12; }
#endif
static volatile uint32_t zero;
static volatile uint32_t seven = 7;
static volatile float half = 0.5f;
static uint32_t deep(void) {
    volatile uint8_t room[2000];
    room[0] = 1;
    room[1999] = 2;
    return (uint32_t)room[0] + room[1999];
}
int main(void) {
    const uint64_t before = kd_board_ticks();
    print(zero);
    print(seven);
    print((uint64_t)(half * 6.0f));
    print((uint64_t)sum());
    print(deep());
    print(kd_board_set_speed(115200u) ? 1 : 0);
    print(kd_board_stack_used());
    print(kd_board_stack_size());
    print(kd_board_ticks() > before ? 1 : 0);
    return 42;
}
"""
)

# A loop of two instructions, run often and more often: the difference is known exactly.
LOOP = (
    PRINT
    + r"""
static void loop(uint32_t count) {
#if defined(__riscv)
    __asm volatile("1: addi %0, %0, -1\n\tbnez %0, 1b" : "+r"(count));
#else
    __asm volatile(".syntax unified\n1: subs %0, #1\n\tbne 1b" : "+r"(count)::"cc");
#endif
}
int main(void) {
    for (uint32_t count = 10000; count <= 110000; count += 100000) {
        const uint64_t start = kd_board_ticks();
        loop(count);
        print(kd_board_ticks() - start);
    }
    return 0;
}
"""
)

# What comes before its port is on, a board loses: it says when it is. A process keeps that, and
# loses what it says before somebody opens its port.
READY = 'kd_board_send((const uint8_t *)"!", 1);'
ECHO_AT_ONCE = r"""
#include "kd_board.h"
int main(void) {
    uint8_t bytes[256];
    READY
    for (;;) {
        const size_t count = kd_board_receive(bytes, sizeof bytes);
        if (count == 0) {
            kd_board_wait();
        }
        kd_board_send(bytes, count);
    }
}
"""

ECHO = ECHO_AT_ONCE.replace("READY", READY)

# Takes nothing until 1000 bytes are lost, then says how many, and what it still has.
SLOW = r"""
#include "kd_board.h"
int main(void) {
    kd_board_send((const uint8_t *)"!", 1);
    while (kd_board_overruns() < 1000) {
    }
    const uint32_t lost = kd_board_overruns();
    uint8_t bytes[64];
    for (size_t count = 1; count > 0;) {
        count = kd_board_receive(bytes, sizeof bytes);
        kd_board_send(bytes, count);
    }
    kd_board_send((const uint8_t *)&lost, sizeof lost);
    for (;;) {
        kd_board_wait();
    }
}
"""


def built(name: str, source: str, folder: Path) -> tuple[Board, Path]:
    board = find_board(name)
    image = build_image(board, {"main.c": source}, out=folder, extra_flags=STRICT)
    return board, image.elf


# --- images ---


@pytest.mark.parametrize("name", EMULATED)
def test_an_image_boots_with_memory_floating_point_and_stack_ready(name, tmp_path):
    board, elf = built(name, BOOT, tmp_path)
    run = run_image(board, elf, count_instructions=board.counts_instructions)
    *values, used, size, moved = map(int, run.output.split())
    assert values == [0, 7, 3, 12, 3, 1]
    assert moved == 1
    assert run.exit_status == 42
    if board.emulator:
        assert 2000 < used < board.stack_bytes
        assert size == board.stack_bytes
    else:
        assert used == size == 2**32 - 1  # a process does not know


@pytest.mark.parametrize("name", QEMU_BOARDS)
def test_instructions_are_exact_and_the_same_in_two_runs(name, tmp_path):
    """Oracle: a hundred thousand more rounds of a loop of two instructions."""
    board, elf = built(name, LOOP, tmp_path)
    first, second = run_image(board, elf), run_image(board, elf)
    assert first == second
    few, many = map(int, first.output.split())
    tick = 1e9 / board.timer.hz / INSTRUCTION_NS  # instructions; 1.6 where the clock is slow
    assert board.instructions(many - few) == pytest.approx(200_000, abs=max(1, tick + 1))
    assert board.instructions(few) == pytest.approx(20_000, abs=30)  # with two calls for ticks


@pytest.mark.parametrize("name", parameters([b for b in QEMU if b.timer.irq is not None]))
def test_ticks_go_on_beyond_32_bits(name, tmp_path):
    """A board that sleeps while its clock jumps from timer to timer, each a wrap of 32 bits."""
    source = f"""{PRINT}
int main(void) {{
    uint64_t last = 0;
    while (last < (UINT64_C(3) << 32)) {{
        const uint64_t now = kd_board_ticks();
        if (now < last) {{
            return 1;
        }}
        last = now;
        kd_board_wait();
    }}
    print(last >> 32);
    return 0;
}}
"""
    board, elf = built(name, source, tmp_path)
    run = run_image(board, elf)
    assert (run.exit_status, run.output) == (0, "3\n")


@pytest.mark.parametrize("name", parameters([BOARDS["qemu-an386"], BOARDS["qemu-rv32"]]))
def test_a_fault_ends_the_run_and_says_where(name, tmp_path):
    """Oracle: the place of the function in the image."""
    source = "int main(void) { return *(volatile int *)0xB0000000u; }\n"
    board, elf = built(name, source, tmp_path)
    run = run_image(board, elf)
    assert run.exit_status == 70
    (place,) = re.findall("fault at pc (0x[0-9a-f]{8}), cause 0x[0-9a-f]{8}", run.output)
    assert 0 <= int(place, 16) - board.flash.start < 2000


@pytest.mark.qemu
@pytest.mark.parametrize("name", ["qemu-an505", "qemu-an547"])
def test_a_stack_overflow_is_a_fault_where_the_core_has_a_stack_limit(name, tmp_path):
    source = """
#include "kd_board.h"
static uint32_t down(uint32_t depth) {
    volatile uint32_t room[64];
    room[0] = depth;
    return depth == 0u ? 0u : down(depth - 1u) + room[0];
}
int main(void) { return (int)(down(10000u) & 1u); }
"""
    board, elf = built(name, source, tmp_path)
    assert run_image(board, elf).exit_status == 70


@pytest.mark.parametrize("name", EMULATED)
def test_bytes_come_back_over_the_port_whole_and_in_order(name, tmp_path):
    ready = name != "host"
    board, elf = built(name, ECHO if ready else ECHO_AT_ONCE.replace("READY", ""), tmp_path)
    sent = np.random.default_rng(4).bytes(4096)
    with start(board, elf) as emulator, serial.serial_for_url(emulator.url, timeout=300) as port:
        assert port.read(ready) == b"!" * ready
        port.write(sent)
        assert port.read(len(sent)) == sent
        assert emulator.exit_status is None
    assert emulator.exit_status is not None


@pytest.mark.qemu
def test_a_board_that_counts_instructions_answers_over_its_port_too(tmp_path):
    board, elf = built("qemu-an386", ECHO, tmp_path)
    for skip_idle in (False, True):
        with (
            start(board, elf, count_instructions=True, skip_idle=skip_idle) as emulator,
            serial.serial_for_url(emulator.url, timeout=300) as port,
        ):
            assert port.read(1) == b"!"
            port.write(b"hello")
            assert port.read(5) == b"hello"


@pytest.mark.parametrize("name", QEMU_BOARDS)
def test_bytes_that_nobody_takes_are_counted_as_lost(name, tmp_path):
    """Oracle: 1024 bytes of buffer, 1024 + 1000 sent."""
    board, elf = built(name, SLOW, tmp_path)
    sent = np.random.default_rng(5).bytes(1024 + 1000)
    with start(board, elf) as emulator, serial.serial_for_url(emulator.url, timeout=300) as port:
        assert port.read(1) == b"!"
        port.write(sent)
        answer = port.read(1024 + 4)
    assert answer[:1024] == sent[:1024]
    assert int.from_bytes(answer[1024:], "little") == 1000


@pytest.mark.qemu
def test_an_image_that_never_ends_is_ended_and_leaves_no_process(tmp_path):
    board, elf = built("qemu-an386", "int main(void) { for (;;) { } }\n", tmp_path)
    with pytest.raises(KdEdgeError) as caught:
        run_image(board, elf, timeout_s=0.5)
    assert caught.value.code == "KD_BOARD_TIMEOUT"
    assert str(os.getpid()) in processes_with("python")  # the search finds what runs
    assert not processes_with(str(elf))


@pytest.mark.parametrize("name", ["host", pytest.param("qemu-an386", marks=pytest.mark.qemu)])
def test_an_error_or_ctrl_c_in_the_block_ends_the_board(name, tmp_path):
    board, elf = built(name, ECHO, tmp_path)
    seen = []

    def interrupted():
        with start(board, elf) as emulator:
            seen.append((emulator.process_id, emulator.exit_status))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    ((process_id, exit_status),) = seen
    assert exit_status is None
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


def processes_with(argument: str) -> list[str]:
    """Ids of processes whose command line holds the argument."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if argument in (folder / "cmdline").read_text(errors="replace"):
                found.append(folder.name)
        except OSError:
            continue
    return found


@pytest.mark.qemu
def test_a_port_in_use_is_named(tmp_path):
    board, elf = built("qemu-an386", ECHO, tmp_path)
    with start(board, elf) as emulator:
        taken = int(emulator.url.rsplit(":", 1)[1])
        with pytest.raises(KdEdgeError, match=str(taken)) as caught, start(board, elf, port=taken):
            pass
    assert caught.value.code == "KD_BOARD_EMULATOR"
    assert caught.value.exit_status == ExitStatus.BOARD


@pytest.mark.qemu
def test_what_the_emulator_complains_of_is_passed_on(tmp_path):
    with pytest.raises(KdEdgeError) as caught:
        run_image(find_board("qemu-an386"), tmp_path / "none.elf")
    assert caught.value.code == "KD_BOARD_EMULATOR"
    assert "none.elf" in caught.value.where


@pytest.mark.qemu
def test_an_image_too_large_for_its_board_is_refused_with_both_sizes(tmp_path):
    source = """
static volatile unsigned char big[600000];
int main(void) { return big[5]; }
"""
    with pytest.raises(KdEdgeError) as caught:
        built("qemu-an547", source, tmp_path)
    assert caught.value.code == "KD_BOARD_FULL"
    assert "2621440 bytes of flash and 524288 of RAM" in caught.value.hint


@pytest.mark.parametrize("name", parameters([b for b in QEMU if b.image_bytes > 2_000_000]))
def test_constants_larger_than_a_cores_first_memory_are_read_rightly(name, tmp_path):
    """Oracle: the same sum in Python."""
    source = (
        PRINT
        + """
static const unsigned char big[1500000] = {[0] = 3, [700000] = 5, [1499999] = 11};
int main(void) {
    uint64_t sum = 0;
    for (volatile uint32_t i = 0; i < sizeof big; i++) {
        sum += big[i];
    }
    print(sum);
    return 0;
}
"""
    )
    board, elf = built(name, source, tmp_path)
    assert run_image(board, elf).output == f"{3 + 5 + 11}\n"


@pytest.mark.qemu
def test_sizes_are_those_of_what_was_linked(tmp_path):
    """Oracle: constants and variables of known size, added to the same image."""
    board = find_board("qemu-an386")
    main = "int main(void) { return USE; }\n"
    data = "extern const unsigned char table[1000]; extern unsigned char first[200], later[3000];\n"
    plain = build_image(board, {"main.c": main}, out=tmp_path / "a", defines={"USE": 0})
    files = {
        "main.c": data + main,
        "data.c": "const unsigned char table[1000] = {1}; unsigned char first[200] = {2}, "
        "later[3000];\n",
    }
    use = {"USE": "(table[first[later[0]]])"}
    more = build_image(board, files, out=tmp_path / "b", defines=use)
    assert more.flash_bytes - plain.flash_bytes == pytest.approx(1200, abs=64)
    assert more.ram_bytes - plain.ram_bytes == pytest.approx(3200, abs=16)
    assert sum(section.n_bytes for section in more.sections) > 4200


@pytest.mark.qemu
def test_sources_that_do_not_compile_are_told_with_their_line(tmp_path):
    with pytest.raises(KdEdgeError) as caught:
        built("qemu-an386", "int main(void) { return nothing; }\n", tmp_path)
    assert caught.value.code == "KD_COMPILE"
    assert "main.c:1" in caught.value.where


def test_a_missing_compiler_is_named_with_its_packages(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KdEdgeError) as caught:
        built("qemu-an386", ECHO, tmp_path)
    assert caught.value.code == "KD_MISSING_TOOL"
    assert "gcc-arm-none-eabi" in caught.value.hint
    assert "brew" in caught.value.hint


def test_what_a_board_cannot_do_is_refused(tmp_path):
    host, pico = find_board("host"), find_board("pico")
    for wrong in (
        lambda: run_image(host, tmp_path / "image.elf"),
        lambda: run_image(pico, tmp_path / "image.elf"),
        lambda: build_image(pico, {"main.c": ECHO}, out=tmp_path),
        lambda: host.instructions(1000),
    ):
        with pytest.raises(KdEdgeError) as caught:
            wrong()
        assert caught.value.code == "KD_USAGE"


# --- compiling for every core ---
