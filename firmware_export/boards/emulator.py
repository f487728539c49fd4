"""Running images of emulated boards: to their end, or behind a serial port."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from firmware_export.boards.board import Board
from firmware_export.boards.kinds import Start
from firmware_export.boards.tools import find_tool
from kd_edge.base.errors import KdEdgeError

# The first line of a host image's output.
_PORT_LINE = re.compile(rb"serial port: (\S+)\n")
_START_S = 60.0


@dataclass(frozen=True)
class Run:
    """How an image ended: the status it gave to kd_board_exit(), and what it wrote."""

    exit_status: int
    output: str


def run_image(
    board: Board, elf: Path, *, timeout_s: float = 60, count_instructions: bool = True
) -> Run:
    """Run an image until it calls kd_board_exit().

    Args:
        board: the one it was built for.
        timeout_s: of the host's time.
        count_instructions: each instruction takes 64 ns of the board's time, so that
            `Board.instructions(ticks)` holds; otherwise its time is the host's. `host` cannot.

    Raises:
        KdEdgeError KD_MISSING_TOOL: QEMU is not installed. KD_BOARD_TIMEOUT: the image did not
            end in time. KD_BOARD_EMULATOR: QEMU refuses it. KD_USAGE: the board cannot count
            instructions, or is no emulated one.
    """
    command = _command(board, elf, ["-serial", "null"], count_instructions=count_instructions)
    with subprocess.Popen(
        command,
        cwd=elf.resolve().parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            output, errors = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            raise KdEdgeError(
                "KD_BOARD_TIMEOUT",
                f"the image has not ended within {timeout_s:g} s",
                where=f"{elf} on {board.name}; its last words: {_text(output)[-200:]!r}",
                hint="it loops, or needs a longer timeout",
            ) from None
        except BaseException:
            process.kill()
            raise
    if complaints := _complaints(errors):
        raise _emulator_error(board, complaints)
    return Run(process.returncode, _text(_PORT_LINE.sub(b"", output, count=1)))


class Emulator:
    """A running board.

    Attributes:
        board: which.
        url: what pyserial opens: `socket://…`, or a pseudo-terminal's path.
    """

    def __init__(
        self,
        board: Board,
        process: subprocess.Popen,
        url: str,
        output: IO[bytes],
        errors: IO[bytes],
    ):
        self.board = board
        self.url = url
        self._process = process
        self._output = output
        self._errors = errors

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """The image's status, or the negative signal that ended it; None while it runs."""
        return self._process.poll()

    @property
    def console(self) -> str:
        """What the image has written with kd_board_write() so far."""
        return _text(_PORT_LINE.sub(b"", _content(self._output), count=1))

    @property
    def errors(self) -> str:
        """What QEMU itself has complained of so far."""
        return _complaints(_content(self._errors))

    def stop(self) -> None:
        """End the process, by its id, and wait for that; again is harmless."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def start(
    board: Board,
    elf: Path,
    *,
    port: int | None = None,
    count_instructions: bool = False,
    skip_idle: bool = False,
    console: bool = True,
) -> Iterator[Emulator]:
    """Run an image with its serial port open to pyserial, until the block ends.

    QEMU's boards start when something connects to the port, so that no byte is lost.

    Args:
        board: the one it was built for.
        port: of 127.0.0.1, for QEMU's boards; None takes a free one.
        count_instructions: as `run_image`.
        skip_idle: with `count_instructions`, the board's clock jumps to its next timer when it has
            nothing to do, instead of waiting for that; QEMU then keeps a processor busy.
        console: False runs the image as on a desk, without a debugger that takes what it writes.

    Raises:
        KdEdgeError KD_MISSING_TOOL: QEMU is not installed. KD_BOARD_EMULATOR: it does not start,
            or the port is taken. KD_USAGE: as `run_image`.
    """
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(tempfile.TemporaryFile())
        errors = stack.enter_context(tempfile.TemporaryFile())
        options, url, inherited = [], "", ()
        how = {"count_instructions": count_instructions, "skip_idle": skip_idle, "console": console}
        if board.kind.listens:
            # QEMU inherits a socket that listens already: the port cannot be taken in between,
            # and a connection waits until QEMU is up.
            listener = stack.enter_context(_listen(board, port))
            url = f"socket://127.0.0.1:{listener.getsockname()[1]}"
            inherited = (listener.fileno(),)
            chardev = f"socket,id=serial,fd={listener.fileno()},server=on,wait=on"
            options = ["-chardev", chardev, "-serial", "chardev:serial"]
        process = subprocess.Popen(
            _command(board, elf, options, **how),
            # Semihosting lets an image open files by name: by those of its own folder first.
            cwd=elf.resolve().parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            pass_fds=inherited,
            # Ctrl-C is for us to handle: what was measured is kept, then the board is ended.
            start_new_session=True,
        )
        emulator = Emulator(board, process, url, output, errors)
        stack.callback(emulator.stop)
        if board.kind.listens:
            listener.close()
        else:
            emulator.url = _pseudo_terminal(emulator, output)
        yield emulator


def _listen(board: Board, port: int | None) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port or 0))
    except OSError as error:
        raise KdEdgeError(
            "KD_BOARD_EMULATOR",
            f"port {port} of 127.0.0.1 cannot be opened: {error.strerror}",
            where=board.name,
            hint="name another port, or none: a free one is found",
        ) from error


def _pseudo_terminal(emulator: Emulator, output: IO[bytes]) -> str:
    """The path that a host image names in its first line."""
    deadline = time.monotonic() + _START_S
    while emulator.exit_status is None and time.monotonic() < deadline:
        if found := _PORT_LINE.match(_content(output)):
            return _text(found[1])
        time.sleep(0.002)
    raise _emulator_error(emulator.board, emulator.errors or "it names no serial port")


def _command(
    board: Board,
    elf: Path,
    options: list[str],
    *,
    count_instructions: bool,
    skip_idle: bool = True,
    console: bool = True,
) -> list[str]:
    """The command line that runs an image."""
    runs = board.kind.runs_here
    if not runs or (count_instructions and not board.counts_instructions):
        raise KdEdgeError(
            "KD_USAGE",
            f"{board.name} cannot {'count instructions' if runs else 'be emulated'}",
            hint="QEMU's boards can: `kd-edge board list`",
        )
    start = Start(elf.resolve(), tuple(options), count_instructions, skip_idle, console)
    program, *rest = board.kind.command(board, start)
    return [program if os.path.isabs(program) else find_tool(program), *rest]


def _emulator_error(board: Board, complaints: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_BOARD_EMULATOR",
        f"{board.name} does not run",
        where=complaints,
        hint="QEMU 7.2 and later are known to run these boards; is the image this board's?",
    )


def _complaints(errors: bytes) -> str:
    """Standard error without what QEMU only remarks: networks and clocks that nobody uses."""
    lines = _text(errors).splitlines()
    return "\n".join(line for line in lines if not re.search(": (warning|info): ", line))


def _content(stream: IO[bytes]) -> bytes:
    # By position, because the process writes at its own place of the same open file.
    return os.pread(stream.fileno(), os.fstat(stream.fileno()).st_size, 0)


def _text(content: bytes) -> str:
    return content.decode("utf-8", errors="replace")
