"""Boards to be asked: emulated ones are built and booted, ports are opened."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_export.boards import BOARDS, find_board
from firmware_export.boards.board import Board
from firmware_export.boards.emulator import start
from kd_edge.base.errors import KdEdgeError
from kd_edge.link.channel import Patience
from kd_edge.link.device import Device
from kd_edge.pipeline.boards.bundle_image import BoardBundle, bundle_image

# The board's clock may run slower than the host's while QEMU counts instructions.
_EMULATED_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Reach:
    """How boards are reached.

    Attributes:
        boards: names of emulated boards, built and booted from the bundle.
        ports: of boards that are flashed already; anything that pyserial opens.
        baud: of the ports; None tries the usual ones, then goes to the fastest that both ends take.
        reset: how a board is reset when its port is opened; a key of `kd_edge.link.reset`.
        timeout_s: for one answer; None: as long as the board usually needs.
    """

    boards: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    baud: int | None = None
    reset: str = "none"
    timeout_s: float | None = None


@dataclass(frozen=True, eq=False)
class Target:
    """An open board.

    Attributes:
        port: as the user knows it.
        emulated: it was booted here, or says that it is such a board.
    """

    device: Device
    port: str
    emulated: bool


@contextlib.contextmanager
def open_targets(
    bundle: BoardBundle | None, reach: Reach, *, tell: Callable[[str], None]
) -> Iterator[tuple[Target, ...]]:
    """Every board of `reach`, with the bundle's model on it; all are closed when the block ends.

    Args:
        bundle: None takes ports with whatever model is on them.

    Raises:
        KdEdgeError KD_USAGE: no board and no port; an emulated board without a bundle.
        KdEdgeError: as `build_image`, `start` and `Device.open`.
    """
    if not reach.boards and not reach.ports:
        raise KdEdgeError(
            "KD_USAGE",
            "no board is named",
            where="--board, --port",
            hint="--board qemu-an386 for an emulated one, --port /dev/ttyACM0 for a real one; "
            "`kd-edge board list` shows both",
        )
    with contextlib.ExitStack() as stack:
        targets = [_emulated(stack, bundle, name, reach, tell) for name in reach.boards]
        for port in reach.ports:
            tell(f"opening {port}")
            sha256 = bundle.model_sha256 if bundle else None
            device = Device.open(
                port,
                baud=reach.baud,
                reset=reach.reset,
                model_sha256=sha256,
                patience=_patience(reach.timeout_s),
                tell=tell,
            )
            if reach.baud is None:
                device.raise_speed()
            known = BOARDS.get(device.hello.board)
            emulated = known is not None and known.emulated
            targets.append(Target(stack.enter_context(device), port, emulated))
        yield tuple(targets)


def _emulated(
    stack: contextlib.ExitStack,
    bundle: BoardBundle | None,
    name: str,
    reach: Reach,
    tell: Callable[[str], None],
) -> Target:
    board = emulated_board(name, bundle)
    device = Device.open(
        boot(stack, bundle, board, tell=tell),
        model_sha256=bundle.model_sha256,
        patience=_patience(reach.timeout_s or _EMULATED_TIMEOUT_S),
    )
    return Target(stack.enter_context(device), name, emulated=True)


def emulated_board(name: str, bundle: BoardBundle | None) -> Board:
    """The board of that name.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: there is none.
        KdEdgeError KD_USAGE: no bundle is named whose model it could run, or it is a real board.
    """
    board = find_board(name)
    if not board.emulated:
        raise KdEdgeError(
            "KD_USAGE",
            f"{name} is a real board: it is reached through its port",
            where="--board",
            hint=f"`kd-edge firmware BUNDLE --board {name}`, flash it, then --port",
        )
    if bundle is None:
        raise KdEdgeError(
            "KD_USAGE",
            f"{name} runs a bundle's model, and none is named",
            where="BUNDLE",
            hint="name the bundle's folder, or a --port",
        )
    return board


def boot(
    stack: contextlib.ExitStack,
    bundle: BoardBundle,
    board: Board,
    *,
    tell: Callable[[str], None],
    **more: Any,
) -> str:
    """Build and start an emulated board that `stack` ends; returns what pyserial opens.

    It counts instructions where it can, and waits while it is idle: sensors play as fast as real
    ones. `more` as `bundle_image`.
    """
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kd-edge-")))
    tell(f"building for {board.name}")
    image = bundle_image(bundle, board, folder, **more)
    tell(f"booting {board.name}")
    counting = board.counts_instructions
    return stack.enter_context(start(board, image.elf, count_instructions=counting)).url


def _patience(timeout_s: float | None) -> Patience:
    return Patience() if timeout_s is None else Patience(timeout=timeout_s)
