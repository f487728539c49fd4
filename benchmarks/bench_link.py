"""Bytes a second into an emulated board: windows over the link beside bytes that it only counts.

    pytest benchmarks/bench_link.py -s

The peer is the same UART, driver and receive buffer with nothing behind them: what QEMU's model of
the UART carries. A model of hardly any arithmetic takes the windows, so that the link is what is
timed. Host and emulator share this machine: only the ratio means something.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import serial

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from tflite_samples import GraphBuilder, options_of

from firmware_export.boards import find_board
from firmware_export.boards.emulator import start
from firmware_export.boards.toolchain import build_image
from firmware_export.firmware import RECEIVE_BYTES, build_firmware, firmware_sources
from firmware_export.settings import FirmwareSettings
from kd_edge.link.channel import Patience
from kd_edge.link.device import Device

BOARD = "qemu-an386"
WINDOW_BYTES, N_WINDOWS = 8000, 25
LEAST_SHARE = 0.8
SINK = """
#include "kd_board.h"

int main(void)
{
    static uint8_t bytes[1024];
    size_t total = 0;
    for (;;) {
        const size_t n = kd_board_receive(bytes, sizeof bytes);
        total += n;
        if (total >= TOTAL_BYTES) {
            kd_board_send((const uint8_t *)"k", 1);
            total = 0;
        }
        if (n == 0) {
            kd_board_wait();
        }
    }
}
"""


def average_model(path: Path) -> Path:
    """The mean of 8,000 values, in eight groups: one addition a byte."""
    graph = GraphBuilder()
    x = graph.tensor("x", (1, 1, WINDOW_BYTES // 8, 8), scale=0.1)
    y = graph.tensor("y", (1, 1, 1, 8), scale=0.1)
    options = options_of(
        "Pool2DOptions", padding=1, strideW=1, strideH=1, filterWidth=1000, filterHeight=1
    )
    graph.operator("AVERAGE_POOL_2D", (x,), (y,), options, version=2)
    return graph.write(path, (x,), (y,))


def sink_bytes_per_s(folder: Path) -> float:
    """What the UART carries with nobody behind it."""
    total = WINDOW_BYTES * N_WINDOWS
    board = find_board(BOARD)
    image = build_image(
        board,
        {"main.c": SINK},
        out=folder,
        defines={"TOTAL_BYTES": f"{total}u", "KD_BOARD_RECEIVE_BYTES": f"{RECEIVE_BYTES}u"},
    )
    with start(board, image.elf) as emulator, serial.serial_for_url(emulator.url) as port:
        port.timeout = 60
        started = time.perf_counter()
        # No faster than the receive buffer empties: QEMU holds bytes back while the UART is full.
        port.write(bytes(total))
        assert port.read(1) == b"k"
        return total / (time.perf_counter() - started)


def link_bytes_per_s(folder: Path) -> float:
    """Window bytes, without frames and answers around them."""
    settings = FirmwareSettings(
        name="average",
        labels=(),
        arena_bytes=0,
        arena_how="",
        front_end=None,
        golden=None,
        synthetic=True,
        generator="bench_link",
    )
    board = find_board(BOARD)
    image = build_firmware(
        firmware_sources(average_model(folder / "average.tflite"), board, settings), board, folder
    )
    rng = np.random.default_rng(0)
    windows = [
        (rng.integers(-128, 128, (1, 1, WINDOW_BYTES // 8, 8), dtype=np.int8),)
        for _ in range(N_WINDOWS)
    ]
    with (
        start(board, image.elf) as emulator,
        Device.open(emulator.url, patience=Patience(timeout=10.0)) as device,
    ):
        started = time.perf_counter()
        assert len(list(device.run_many(windows))) == N_WINDOWS
        return WINDOW_BYTES * N_WINDOWS / (time.perf_counter() - started)


@pytest.mark.qemu
def test_the_link_carries_most_of_what_the_uart_does():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shares = []
        for turn in range(3):
            for part in ("sink", "link"):
                (folder / f"{part}{turn}").mkdir()
            sink = sink_bytes_per_s(folder / f"sink{turn}")
            linked = link_bytes_per_s(folder / f"link{turn}")
            shares.append(linked / sink)
            print(f"UART {sink / 1e3:.1f} kB/s, link {linked / 1e3:.1f} kB/s: {shares[-1]:.2f}")
    assert np.median(shares) >= LEAST_SHARE
