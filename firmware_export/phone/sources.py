"""Sources of a recogniser: a board's firmware without its board and serial link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from firmware_export.aot.cores import HOST
from firmware_export.boards import find_board
from firmware_export.firmware import RUNTIME, firmware_sources
from firmware_export.sensors import StreamSettings
from firmware_export.settings import FirmwareSettings
from kd_edge.base.product import Product

# What a phone has no use for: the link, its main program, and sensors that are read.
_LEFT_OUT = frozenset(
    {"main.c", "kd_firmware.c", "kd_firmware.h", "kd_firmware_limits.h", "kd_profile.c"}
    | {"kd_normaliser.c", "kd_normaliser.h", "kd_sensor_stub.c", "kd_keep.h", "kd_keep_stub.c"}
    | {path.name for path in (RUNTIME / "link").glob("*.c")}
)
_BOARD_HEADER = Path(__file__).parents[1] / "boards" / "common" / "kd_board.h"
# Samples come in bursts: a phone's radio and its browser wait longer than a board's main loop.
SLACK_S = 1.0


@dataclass(frozen=True)
class PhoneSources:
    """A recogniser's C99.

    Attributes:
        files: name -> text; every `.c` is to be compiled. kd_phone.h is its interface.
        defines: macro -> value, for all of them.
        takes_samples: it cuts windows from streams by itself; else it takes int8 windows alone.
        model_sha256: of the product.
    """

    files: Mapping[str, str]
    defines: Mapping[str, str | int]
    takes_samples: bool
    model_sha256: str


def phone_sources(
    product: Product, core: str, settings: FirmwareSettings, *, hop_s: float | None
) -> PhoneSources:
    """The sources of a product's recogniser for a core.

    Args:
        core: a key of `CORES`.
        settings: with the front end, or None for int8 windows alone. Golden vectors stay outside.
        hop_s: from window to window of a stream; None without a front end.

    Raises as `firmware_sources`.
    """
    board = replace(find_board(HOST.name), name="phone", title="a phone", core=core)
    stream = None if hop_s is None else StreamSettings(hop_s=hop_s, slack_s=SLACK_S)
    firmware = firmware_sources(
        product, board, replace(settings, golden=None), stream=stream, profile=False
    )
    files = {name: text for name, text in firmware.files.items() if name not in _LEFT_OUT}
    for path in (*(RUNTIME / "phone").glob("*.[ch]"), _BOARD_HEADER):
        files[path.name] = path.read_text(encoding="utf-8")
    return PhoneSources(
        dict(sorted(files.items())), firmware.defines, stream is not None, firmware.model_sha256
    )
