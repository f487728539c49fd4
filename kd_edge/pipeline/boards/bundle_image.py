"""A bundle as firmware: what its image is made of, and the image itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_export.boards.board import Board
from firmware_export.boards.toolchain import Image
from firmware_export.firmware import Firmware, build_firmware, firmware_sources
from firmware_export.sensors import StreamSettings
from firmware_export.settings import FirmwareSettings, Golden
from kd_edge import __version__
from kd_edge.errors import KdEdgeError
from kd_edge.frontend import FrontEndConstants
from kd_edge.pipeline.bundle import REPORT_FILE, Manifest, load_manifest
from kd_edge.pipeline.raw_windows import RAW_FILE, read_counts
from kd_edge.report.json import from_json
from kd_edge.windows.raw import Counts

GOLDEN_FILE = "golden.npz"


@dataclass(frozen=True, eq=False)
class BoardBundle:
    """What boards need of a bundle.

    Attributes:
        model_path: the product's int8 file.
        golden: its golden vectors.
        raw: counts of the golden windows, one mapping each; () where the sensors' units a count
            are unknown.
    """

    folder: Path
    manifest: Manifest
    model_path: Path
    model_sha256: str
    golden: Golden
    raw: tuple[Counts, ...]

    @property
    def front_end(self) -> FrontEndConstants | None:
        """The front end that a board can run: causal, with known units a count."""
        front_end = self.manifest.front_end
        known = all(stream.lsb is not None for stream in front_end.streams)
        return front_end if front_end.causal and known else None


def load_board_bundle(folder: Path) -> BoardBundle:
    """Read a bundle for boards.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BUNDLE_VERSION, KD_BUNDLE_ALTERED: as `load_manifest`.
    """
    manifest = load_manifest(folder)
    model = manifest.model(manifest.product)
    int8 = model.format("int8")
    if int8 is None or not (folder / GOLDEN_FILE).is_file():
        raise KdEdgeError(
            "KD_NO_FILE",
            f"the bundle has no int8 model of '{model.name}' with golden vectors",
            where=str(folder),
            hint="build it again; boards run int8",
        )
    with np.load(folder / GOLDEN_FILE, allow_pickle=False) as arrays:
        golden = Golden(
            tuple(arrays[f"int8_inputs/{name}"] for name in model.inputs),
            arrays["int8_outputs"],
            tuple(int(label) for label in arrays["labels"]),
        )
    path = folder / int8.file
    return BoardBundle(
        folder, manifest, path, manifest.files[int8.file], golden, _raw_windows(folder)
    )


def _raw_windows(folder: Path) -> tuple[Counts, ...]:
    if not (folder / RAW_FILE).is_file():
        return ()
    return read_counts(folder / RAW_FILE)


def bundle_firmware(
    bundle: BoardBundle,
    board: Board,
    *,
    engine: str = "aot",
    stream: StreamSettings | None = None,
    replay: Sequence[Counts] = (),
    golden_count: int | None = None,
) -> Firmware:
    """The sources of a bundle's firmware for a board. Raises as `firmware_sources`.

    Args:
        stream, replay: as `firmware_sources`; an image that only answers has none.
        golden_count: golden vectors in the image; None: all.
    """
    manifest = bundle.manifest
    report = from_json((bundle.folder / REPORT_FILE).read_text(encoding="utf-8"))
    arena = next(
        row.arena
        for row in report.rows
        if row.model == manifest.product and row.format == "int8" and row.arena
    )
    settings = FirmwareSettings(
        name=manifest.title,
        labels=manifest.class_names,
        arena_bytes=arena.smallest_bytes or arena.used_bytes,
        arena_how=f"{arena.how} ABI: {arena.abi}.",
        front_end=bundle.front_end,
        golden=bundle.golden,
        synthetic=manifest.synthetic,
        generator=f"kd-edge {__version__}",
        golden_count=golden_count or len(bundle.golden.labels),
    )
    return firmware_sources(
        bundle.model_path, board, settings, engine=engine, stream=stream, replay=replay
    )


def bundle_image(bundle: BoardBundle, board: Board, out: Path, **more) -> Image:
    """Build the bundle's image for an emulated board; `more` as `bundle_firmware`.

    Raises:
        KdEdgeError KD_MISSING_TOOL, KD_COMPILE, KD_BOARD_FULL: as `build_image`.
    """
    return build_firmware(bundle_firmware(bundle, board, **more), board, out)
