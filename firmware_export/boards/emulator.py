"""Running images of emulated boards under QEMU."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from firmware_export.boards.board import INSTRUCTION_SHIFT, Board
from firmware_export.boards.toolchain import find_tool
from kd_edge.errors import KdEdgeError


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
            `Board.instructions(ticks)` holds; otherwise its time is the host's.

    Raises:
        KdEdgeError KD_MISSING_TOOL: QEMU is not installed. KD_BOARD_TIMEOUT: the image did not
            end in time. KD_BOARD_EMULATOR: QEMU refuses it.
    """
    command = [*qemu_command(board, elf, count_instructions=count_instructions), "-serial", "null"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
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
        raise KdEdgeError(
            "KD_BOARD_EMULATOR",
            "QEMU reports an error",
            where=complaints,
            hint=f"QEMU 7.2 or later is needed for {board.name}",
        )
    return Run(process.returncode, _text(output))


def qemu_command(board: Board, elf: Path, *, count_instructions: bool) -> list[str]:
    """QEMU's command line, without the serial port."""
    command = [find_tool("qemu-system-arm"), "-M", board.emulator.machine, "-kernel", str(elf)]
    command += ["-display", "none", "-monitor", "none", "-nic", "none"]
    command += ["-semihosting-config", "enable=on,target=native"]
    if count_instructions:
        command += ["-icount", f"shift={INSTRUCTION_SHIFT},sleep=off"]
    return command


def _complaints(errors: bytes) -> str:
    """QEMU's standard error without the warning that the machine's network has no other end."""
    lines = _text(errors).splitlines()
    return "\n".join(line for line in lines if "warning: nic " not in line)


def _text(content: bytes) -> str:
    return content.decode("utf-8", errors="replace")
