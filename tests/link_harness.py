"""The real C link as a process of this machine, reached through pipes or a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
import termios
import tty
import zlib
from pathlib import Path

import numpy as np
from programs import need
from waiting import BOUND_S

from firmware_export.boards.toolchain import COMMON
from firmware_export.c_text import byte_lines
from firmware_export.firmware import RUNTIME
from firmware_export.link_header import LINK_SOURCES
from kd_edge.base import wire
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.protocol import FORMATS
from kd_edge.link.channel import Patience
from kd_edge.link.device import Device
from kd_edge.link.stream import WindowAssembler

HERE = Path(__file__).resolve().parent
# How the test board reaches its host: standard input and output, or packets of a radio.
WIRE = (HERE / "link_port_pipe.c",)
BLE = (
    *(HERE / "link_port_ble.c", RUNTIME / "ble" / "kd_ble.c", RUNTIME / "ble"),
    *(COMMON / "kd_board_ring.c", COMMON),
)
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wshadow", "-Werror")
SANITIZE = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# Small payloads, so that a window takes several frames.
MAX_PAYLOAD = 384
MODEL_SHA256 = bytes(range(32))
OUTPUT_BYTES = 5
# A test that is held up between two writes is no silent line.
SILENCE_US = 1_000_000
# For boards that answer: long enough for any machine. A line without faults never needs it. First
# contact waits half a second a time, and a second later on: hence so many.
PATIENT = Patience(timeout=60.0, retries=20)
# For boards that are to be found silent.
QUICK = Patience(timeout=0.1, retries=2)


def check_lossy_air(device: Device) -> None:
    """Windows are answered rightly, none twice: the state makes a window that ran twice, or not at
    all, change every later answer."""
    sent = windows(8, seed=3)
    for answer in device.run_many(sent, keep_state=True):
        wanted = expected_scores(sent[answer.index], state=answer.index)
        assert answer.scores.tolist() == wanted
    assert answer.index == len(sent) - 1


def hello_values(**changes):
    """The test board's HELLO_ANSWER; int8 windows of 900 bytes, raw ones of 300."""
    tensor = {"scale": 0.25, "zero_point": -1}
    values = {
        "session": 0, "boot": 0, "receive_bytes": 0, "max_payload": 0, "depth": 0,
        "scores_bytes": 0,
        "ticks_kind": 1, "firmware": (0, 1, 2), "ticks_per_thousand": 2000,
        "clock_hz": 25_000_000, "max_baud": 0, "golden_count": 7, "layer_count": 40,
        "int8_bytes": 900, "raw_bytes": 300, "output_bytes": OUTPUT_BYTES,
        "model_sha256": tuple(MODEL_SHA256), "board": "test board", "core": "host",
        "engine": "checksum",
        "inputs": [
            {"name": "emg", "shape": (1, 200, 3), **tensor},
            {"name": "imu", "shape": (1, 50, 6), **tensor},
        ],
        "outputs": [{"name": "scores", "shape": (1, OUTPUT_BYTES), **tensor}],
        "streams": [
            {"name": "emg", "channels": 3, "rate": 1111.11, "samples": 40},
            {"name": "imu", "channels": 2, "rate": 148.0, "samples": 15},
        ],
    }  # fmt: skip
    return values | changes


def hello_payload(values) -> bytes:
    """The payload with all facts, as firmware has it."""
    facts = {field.name for field in FORMATS["FACTS_BLOCK"].fields}
    told = {name: values[name] for name in facts if name in values}
    block = wire.encode("FACTS_BLOCK", told)
    fixed = {name: value for name, value in values.items() if name not in facts}
    return wire.encode("HELLO_ANSWER", {**fixed, "facts_bytes": len(block), "facts": block})


def write_hello(folder: Path, values) -> None:
    payload = hello_payload(values)
    (folder / "link_board_hello.h").write_text(
        f"#define BOARD_INT8_BYTES {values['int8_bytes']}\n"
        f"#define BOARD_RAW_BYTES {values['raw_bytes']}\n"
        f"#define BOARD_OUTPUT_BYTES {values['output_bytes']}\n"
        f"static const uint8_t board_hello[] = {{\n{byte_lines(payload)}\n}};\n"
    )


def build_board(folder: Path, values=None, *, flags=SANITIZE, compiler="gcc", port=WIRE) -> Path:
    """The test board's program.

    Args:
        values: its HELLO, without what the link fills in.
        port: C files and folders of headers of how it reaches its host.
    """
    need(compiler)
    write_hello(folder, values or hello_values())
    program = folder / "board"
    sources = [HERE / "link_board.c", *sorted(LINK_SOURCES.glob("*.c"))]
    includes = [LINK_SOURCES, folder]
    for part in port:
        (includes if part.is_dir() else sources).append(part)
    subprocess.run(
        [
            compiler, *STRICT, "-D_DEFAULT_SOURCE", *flags, f"-DKD_LINK_MAX_PAYLOAD={MAX_PAYLOAD}u",
            f"-DKD_LINK_SILENCE_US={SILENCE_US}u", "-DKD_BOARD_RECEIVE_BYTES=4096u",
            *(f"-I{place}" for place in includes), *sources, "-o", program,
        ],
        check=True,
    )  # fmt: skip
    return program


class PipeTransport:
    """A program's standard input and output as a port."""

    has_speed = False

    def __init__(self, *command):
        self.name = "pipe"
        self.program = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.speeds = []
        # It says something when it starts. Until then it is being loaded, which may take longer
        # than first contact waits.
        assert self._has_said(BOUND_S), "the board says nothing"

    def write(self, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[self.program.stdin.write(view) :]
        except (OSError, ValueError) as error:
            raise self._gone() from error

    def read(self, timeout: float) -> bytes:
        """What the program has written; nothing if it was silent so long with nothing to do.

        A program that computes, or waits for a processor, is no silent board: on a loaded machine a
        short patience would take it for one.
        """
        try:
            while not self._has_said(timeout):
                # What it said between the two looks counts, too.
                if not _busy(self.program.pid) and not self._has_said(0.0):
                    return b""
                timeout = 0.01
            data = os.read(self.program.stdout.fileno(), 65536)
        except (OSError, ValueError) as error:
            raise self._gone() from error
        if not data:
            raise self._gone()
        return data

    def _has_said(self, timeout: float) -> bool:
        return bool(select.select([self.program.stdout], [], [], timeout)[0])

    def set_speed(self, baud: int) -> bool:
        return False

    def close(self) -> None:
        self.program.kill()
        self.program.stdin.close()
        self.program.stdout.close()
        self.program.wait()

    def _gone(self) -> KdEdgeError:
        return KdEdgeError("KD_PORT_CLOSED", "the program has ended", hint="start it")


def _busy(process_id: int) -> bool:
    """Whether a process runs, or would if it were let. No, where the system does not say."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state in "RD"


class Terminal:
    """A program behind a pseudo-terminal; `name` is a port that pyserial opens."""

    def __init__(self, *command):
        master, slave = os.openpty()
        tty.setraw(slave)
        self.name = os.ttyname(slave)
        self._slave = slave  # held, so that what the program says first is kept
        self.program = subprocess.Popen(
            [str(part) for part in command], stdin=master, stdout=master, close_fds=True
        )
        os.close(master)

    def waiting(self) -> int:
        """Bytes that the program has sent and nobody has read."""
        count = fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4))
        return int.from_bytes(count, sys.byteorder)

    def unplug(self) -> None:
        """The cable is pulled: whoever holds the port loses it."""
        self.program.kill()
        self.program.wait()

    def close(self) -> None:
        self.unplug()
        os.close(self._slave)


def windows(n: int, seed: int):
    """n int8 windows for the test board, each a tuple of its two inputs."""
    rng = np.random.default_rng(seed)
    return [
        (
            rng.integers(-128, 128, (1, 200, 3)).astype(np.int8),
            rng.integers(-128, 128, (1, 50, 6)).astype(np.int8),
        )
        for _ in range(n)
    ]


def expected_scores(arrays, *, state: int = 0, n_scores: int = OUTPUT_BYTES) -> list[int]:
    """What the test board's model says: nibbles of zlib's CRC-32 of the window's bytes."""
    total = zlib.crc32(b"".join(array.tobytes() for array in arrays)) + state
    return [(total >> (4 * (i % 7)) & 15) - 8 + i // 7 % 100 for i in range(n_scores)]


def streamed(device: Device, n: int) -> tuple[int, int]:
    """Windows of a stream of n: whole ones, whose scores must be right, and those with losses."""
    assembler = WindowAssembler(device.hello)
    whole = missing = 0
    for event in device.stream(windows=n):
        window = assembler.take(event)
        if window is None:
            continue
        if window.arrays is None:
            missing += 1
            continue
        assert window.answer.scores.tolist() == expected_scores(window.arrays)
        whole += 1
    return whole, missing
