"""The board of a live run: booted here from a bundle, or behind a port."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from firmware_export.sensors import StreamSettings, usual_hop_s
from kd_edge.base.errors import KdEdgeError
from kd_edge.link.device import Device
from kd_edge.pipeline.boards.bundle_image import BoardBundle
from kd_edge.pipeline.boards.targets import boot, emulated_board


@dataclass(frozen=True)
class LiveReach:
    """How the board is reached: by the name of an emulated one, or by a port.

    Attributes:
        baud, reset: of a port; as `Device.open`.
        hop_s: from window to window of an emulated board; None: a quarter of a window.
        keeps: an emulated board's network keeps what it has computed of one window for the next.
    """

    board: str | None = None
    port: str | None = None
    baud: int | None = None
    reset: str = "none"
    hop_s: float | None = None
    keeps: bool = False


@contextlib.contextmanager
def open_live(
    bundle: BoardBundle | None, reach: LiveReach, *, tell: Callable[[str], None]
) -> Iterator[tuple[Device, str]]:
    """An open board that can stream, and how it is reached; closed when the block ends.

    Args:
        bundle: None takes a port with whatever model is on it.

    Raises:
        KdEdgeError KD_USAGE: not one of board and port; an emulated board without a bundle.
        KdEdgeError KD_COUNTS: the bundle has no raw windows that a board could play.
        KdEdgeError: as `bundle_image`, `start` and `Device.open`.
    """
    if (reach.board is None) == (reach.port is None):
        raise KdEdgeError(
            "KD_USAGE",
            "name one board" if reach.board is None else "a board is reached by one way only",
            where="--board, --port, --ble",
            hint="--port /dev/ttyACM0 for a real board, --ble NAME for a band over Bluetooth, "
            "--board qemu-an386 for an emulated one; `kd-edge board list` shows boards",
        )
    with contextlib.ExitStack() as stack:
        sha256 = bundle.model_sha256 if bundle else None
        url = reach.port or _boot(stack, bundle, reach, tell)
        tell(f"opening {url}")
        device = Device.open(
            url, baud=reach.baud, reset=reach.reset, model_sha256=sha256, tell=tell
        )
        yield stack.enter_context(device), url


def _boot(
    stack: contextlib.ExitStack,
    bundle: BoardBundle | None,
    reach: LiveReach,
    tell: Callable[[str], None],
) -> str:
    board = emulated_board(reach.board, bundle)
    if bundle.front_end is None or not bundle.raw:
        raise KdEdgeError(
            "KD_COUNTS",
            "the bundle has no raw windows that an emulated board could play",
            where=str(bundle.folder),
            hint="the front end must be causal, and the recordings or the recipe must name each "
            "sensor's units a count; then build again",
        )
    hop_s = reach.hop_s or usual_hop_s(bundle.front_end)
    stream = StreamSettings(hop_s=hop_s, keeps=reach.keeps)
    return boot(stack, bundle, board, tell=tell, stream=stream, replay=bundle.raw)


def check_sensors(bundle: BoardBundle) -> None:
    """Refuse a bundle of images, which no board streams.

    Raises:
        KdEdgeError KD_USAGE.
    """
    if bundle.manifest.front_end is None:
        raise KdEdgeError(
            "KD_USAGE",
            "live shows what sensors stream, and this bundle takes images",
            where=str(bundle.folder),
            hint="`kd-edge eval` sends a bundle's images to a board",
        )
