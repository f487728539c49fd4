"""What the tests of projects share."""

from __future__ import annotations

from firmware_export.boards import BOARDS

ARDUINO = [
    name for name, board in BOARDS.items() if board.project and board.project.kind == "platformio"
]


BARE = [
    name
    for name, board in BOARDS.items()
    if board.project and board.project.kind == "platformio-bare"
]


FORMS = [
    *((name, "make") for name in ("qemu-an386", "host")),
    *((name, "platformio") for name in ARDUINO),
    ("esp32s3", "esp-idf"),
    ("nano33ble", "zephyr"),
    ("esp32s3", "cmake"),
]
