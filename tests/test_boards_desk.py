"""Images of boards that a vendor sells, as they run on a desk. Oracle: QEMU without semihosting."""

from __future__ import annotations

import pytest
import serial

from firmware_export.boards import find_board
from firmware_export.boards.emulator import start
from firmware_export.boards.toolchain import build_image

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
