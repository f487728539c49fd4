"""What board.toml says of each board, and what is refused in one. Oracle: the files themselves."""

from __future__ import annotations

import tomllib

import pytest

from firmware_export.boards import BOARDS, find_board, fits, read_board
from firmware_export.boards.toolchain import COMMON
from kd_edge.base.errors import KdEdgeError

QEMU_BOARDS = [name for name, board in BOARDS.items() if board.emulator]
# The tables and the key of a board.toml that hold figures, as they begin a line.
FIGURES = {key: f"[{key}]" for key in ("flash", "ram", "constants", "uart", "timer")} | {
    "clock_hz": "clock_hz = "
}


def test_every_board_has_a_folder_of_its_name_and_says_whether_it_was_run():
    assert {"host", "nano33ble", "nucleo_l4r5zi", "teensy41", "pico", "esp32s3"} < set(BOARDS)
    cores = {BOARDS[name].core for name in QEMU_BOARDS}
    assert cores == {"m0", "m3", "m4", "m7", "m33", "m55", "rv32imc"}
    for board in BOARDS.values():
        assert board.run == board.emulated  # no real board has been run


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_every_figure_of_a_board_has_its_source_beside_it(name):
    """Oracle: the figures that a TOML parser finds, each of which needs one line with a comment."""
    text = (COMMON.parent / name / "board.toml").read_text(encoding="utf-8")
    stated = FIGURES.keys() & tomllib.loads(text).keys()
    assert stated >= {"flash", "ram", "clock_hz"}
    for key in stated:
        (line,) = [line for line in text.splitlines() if line.startswith(FIGURES[key])]
        assert line.partition("#")[2].strip(), line


def test_an_unknown_board_is_refused_with_the_known_ones():
    with pytest.raises(KdEdgeError) as caught:
        find_board("qemu-an368")
    assert caught.value.code == "KD_UNKNOWN_NAME"
    assert "qemu-an386" in str(caught.value)


def test_fits_says_what_is_left():
    pico = find_board("pico")
    assert fits(pico, 2_097_152, 0).fits
    left = fits(pico, 1_000, 270_337)
    assert (left.fits, left.flash_left, left.ram_left) == (False, 2_096_152, -1)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (("[flash]", "[flesh]"), "did you mean 'flash'"),
        (("clock_hz", "clock_mhz"), "clock_mhz"),
        (("irq = 0", 'irq = "0"'), "uart.irq"),
        (("irq = 8\n", ""), "timer.irq"),
        (('core = "m4"', 'core = "m5"'), "core"),
        (('name = "qemu-an386"', 'name = "other"'), "name"),
        (("bytes = 0x0040_0000", "bytes = 0"), "flash"),
        (('kind = "cmsdk"', 'kind = "magic"'), "uart.kind"),
        (('kind = "cmsdk"', 'kind = "cmskd"'), "did you mean 'cmsdk'"),
        (('core = "m4"', 'core = "lx7"'), "nothing here emulates"),
        (('core = "m4"', 'core = "host"'), "but has 'emulator'"),
        (('[emulator]\nmachine = "mps2-an386"\n', ""), "but lacks 'emulator'"),
        (("[emulator]\nmachine", "title2"), "title2"),
        (("emulated = true", "emulated = false"), "project"),
        (("[uart]", "[uart"), ""),
    ],
)
def test_a_wrong_board_file_is_refused_with_file_and_key(tmp_path, change, key):
    text = (COMMON.parent / "qemu-an386" / "board.toml").read_text(encoding="utf-8")
    assert change[0] in text
    path = tmp_path / "qemu-an386" / "board.toml"
    path.parent.mkdir()
    path.write_text(text.replace(*change, 1), encoding="utf-8")
    with pytest.raises(KdEdgeError) as caught:
        read_board(path)
    assert caught.value.code == "KD_BOARD_FILE"
    assert str(path) in caught.value.where
    assert key in f"{caught.value.message} {caught.value.where}"
