"""Images of boards that a vendor sells, as they run on a desk. Oracle: QEMU without semihosting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import serial
from firmware_samples import run
from link_harness import PATIENT
from programs import need
from project_checks import BARE
from project_samples import N_GOLDEN, sample_model, write_sample

from firmware_export.boards import find_board
from firmware_export.boards.emulator import run_image, start
from firmware_export.boards.toolchain import build_image
from kd_edge.base.errors import KdEdgeError
from kd_edge.link.device import Device

# Says that it is there, and then ends as it is told.
ENDING = r"""
#include "kd_board.h"
int main(void) {
    uint8_t byte = 0;
    kd_board_write("nobody reads this", 17);
    kd_board_send((const uint8_t *)"!", 1);
    while (kd_board_receive(&byte, 1) == 0) {
        kd_board_wait();
    }
    return byte == 'f' ? *(volatile int *)0xB0000000u : 0;
}
"""


@pytest.mark.qemu
@pytest.mark.parametrize("name", ["netduinoplus2", "microbit"])
def test_on_a_desk_without_a_debugger_the_same_image_runs_and_begins_anew(name, tmp_path):
    """A core takes a debugger's call for a fault, where no debugger is."""
    board = find_board(name)
    elf = build_image(board, {"main.c": ENDING}, out=tmp_path).elf
    with (
        start(board, elf, console=False) as emulator,
        serial.serial_for_url(emulator.url, timeout=60) as port,
    ):
        for how in (b"e", b"f", b"e", b"e", b"f"):
            assert port.read(1) == b"!"
            port.write(how)
        assert port.read(1) == b"!"
        assert (emulator.exit_status, emulator.console) == (None, "")


@pytest.mark.qemu
def test_ticks_never_jump_while_a_busy_board_reads_them(tmp_path):
    """Half a million readings over wraps of SysTick's 24 bits, none far from the last."""
    source = r"""
#include "kd_board.h"
int main(void) {
    uint64_t last = kd_board_ticks();
    const uint64_t first = last;
    for (uint32_t i = 0; i < 500000u; i++) {
        const uint64_t now = kd_board_ticks();
        if (now <= last || now - last > 4096u) {
            return 1;
        }
        last = now;
    }
    return (last - first) >> 24 >= 4u ? 0 : 2;
}
"""
    board = find_board("netduinoplus2")
    elf = build_image(board, {"main.c": source}, out=tmp_path).elf
    assert run_image(board, elf).exit_status == 0


def built_as_platformio_does(folder: Path) -> Path:
    """The image by what `platformio.ini` tells the compiler and `link_flags.py` the linker."""
    text = (folder / "platformio.ini").read_text(encoding="utf-8")
    compile_flags = text.partition("build_flags =\n")[2].split()
    link_flags: list[str] = []

    class Env:
        def Append(self, **flags):  # noqa: N802 - SCons' name
            link_flags.extend(flags["LINKFLAGS"])

    script = (folder / "link_flags.py").read_text(encoding="utf-8")
    exec(script, {"Import": lambda name: None, "env": Env()})  # as SCons does
    out = folder / "firmware.elf"
    library = folder / "lib/kd_firmware/src"
    sources = [*library.glob("*.c"), *(folder / "src").glob("*.c")]
    link_flags[link_flags.index("-Tkd_board.ld")] = f"-T{folder / 'kd_board.ld'}"
    run("arm-none-eabi-gcc", *compile_flags, f"-I{library}", *sources, *link_flags, "-o", out)
    return out


@pytest.mark.qemu
@pytest.mark.parametrize("name", BARE)
def test_platformios_project_has_the_layer_that_is_emulated_and_answers(name, tmp_path):
    """Oracle: TFLite Micro's golden vectors."""
    need("arm-none-eabi-gcc")
    model = sample_model(tmp_path)
    folder = write_sample(tmp_path / "fw", model, name, kind="platformio-bare")
    assert re.search(
        r"^\*\*Never run by us on this board", (folder / "README.md").read_text(), re.M
    )
    elf = built_as_platformio_does(folder)
    with (
        start(find_board(name), elf, console=False) as emulator,
        Device.open(emulator.url, patience=PATIENT) as device,
    ):
        # On a desk its timer counts cycles; it does not know of an emulator.
        assert (device.hello.board, device.hello.ticks_kind) == (name, "cycles")
        test = device.selftest()
        assert (len(test.vectors), test.failures) == (N_GOLDEN, ())


def test_a_project_without_a_framework_refuses_tflite_micro(tmp_path):
    with pytest.raises(KdEdgeError, match="no C\\+\\+ library") as caught:
        write_sample(
            tmp_path / "fw",
            sample_model(tmp_path),
            "netduinoplus2",
            kind="platformio-bare",
            engine="tflm",
        )
    assert caught.value.code == "KD_USAGE"
