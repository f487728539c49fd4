"""A bundle as firmware: what its image is made of, and the image itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from firmware_export.boards.board import Board
from firmware_export.boards.toolchain import FirmwareImage
from firmware_export.engines import PLAIN_C
from firmware_export.firmware import Firmware, build_firmware, firmware_sources
from firmware_export.sensors import StreamSettings
from firmware_export.settings import NO_LABEL, FirmwareSettings, Golden
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import Counts, FrontEndConstants, raw_samples
from kd_edge.base.product import Product
from kd_edge.base.untrusted import load_arrays
from kd_edge.base.version import __version__
from kd_edge.pipeline.bundle import (
    REPORT_FILE,
    Manifest,
    altered,
    built_report,
    load_manifest,
)
from kd_edge.pipeline.raw_windows import RAW_FILE, read_counts
from kd_edge.pipeline.shipped import arena_of, arenas_of, needed_bytes, shipped

GOLDEN_FILE = "golden.npz"
_MOST_ARENA_BYTES = 2**31
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class BoardBundle:
    """What boards need of a bundle.

    Attributes:
        product: its int8 model, or several and their rule.
        golden: its golden vectors.
        raw: counts of the golden windows, one mapping each; () where the sensors' units a count
            are unknown.
    """

    folder: Path
    manifest: Manifest
    product: Product
    golden: Golden
    raw: tuple[Counts, ...]

    @property
    def model_sha256(self) -> str:
        """As a board tells it."""
        return self.product.sha256

    @property
    def front_end(self) -> FrontEndConstants | None:
        """The front end that a board can run: causal, with known units a count."""
        front_end = self.manifest.front_end
        if front_end is None:
            return None
        known = all(stream.lsb is not None for stream in front_end.streams)
        return front_end if front_end.causal and known else None


def load_board_bundle(folder: Path) -> BoardBundle:
    """Read a bundle for boards.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BUNDLE_VERSION, KD_BUNDLE_ALTERED: as `load_manifest`.
    """
    manifest = load_manifest(folder)
    product = shipped(folder, manifest)
    if GOLDEN_FILE not in manifest.files:
        raise KdEdgeError(
            "KD_NO_FILE",
            f"the bundle has no golden vectors of '{manifest.product}'",
            where=str(folder),
            hint="build it again; boards run int8",
        )
    golden = _read(folder / GOLDEN_FILE, lambda path: _golden(load_arrays(path), product, manifest))
    raw = ()
    if RAW_FILE in manifest.files and manifest.front_end is not None:
        raw = _read(folder / RAW_FILE, lambda path: _raw_windows(path, manifest))
    return BoardBundle(folder, manifest, product, golden, raw)


def _read(path: Path, make: Callable[[Path], T]) -> T:
    try:
        return make(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise altered(path, f"{type(error).__name__}: {error}") from error


def _golden(arrays: dict[str, np.ndarray], product: Product, manifest: Manifest) -> Golden:
    composed = product.composition is not None
    names = [spec.name for spec in product.inputs] if composed else manifest.product_inputs
    golden = Golden(
        tuple(arrays[f"int8_inputs/{name}"] for name in names),
        arrays["int8_outputs"],
        Golden.labels_of(arrays["labels"]),
        arrays["int8_answered"] if composed else None,
    )
    rows = (*golden.inputs, golden.outputs, *((golden.answered,) if composed else ()))
    if any(a.dtype != np.int8 or len(a) != len(golden.labels) for a in rows):
        raise ValueError("its arrays are not one int8 row a label")
    classes = range(len(manifest.class_names))
    if not golden.labels or not all(i in classes or i == NO_LABEL for i in golden.labels):
        raise ValueError("its labels are none of the classes")
    return golden


def _raw_windows(path: Path, manifest: Manifest) -> tuple[Counts, ...]:
    """The windows as sensors gave them, each as the front end takes it."""
    lengths = raw_samples(manifest.front_end)
    shapes = {
        stream.name: (lengths[stream.name], len(stream.channels))
        for stream in manifest.front_end.streams
        if stream.name in lengths
    }
    windows = read_counts(path)
    for window in windows:
        for name, shape in shapes.items():
            if window[name].dtype != np.int16 or window[name].shape != shape:
                raise ValueError(f"{name!r} is {window[name].dtype} {window[name].shape}")
    return windows


def bundle_firmware(
    bundle: BoardBundle,
    board: Board,
    *,
    engine: str = PLAIN_C.name,
    stream: StreamSettings | None = None,
    replay: Sequence[Counts] = (),
    golden_count: int | None = None,
    personal: bool = False,
) -> Firmware:
    """The sources of a bundle's firmware for a board. Raises as `firmware_sources`.

    Args:
        stream, replay: as `firmware_sources`; each stream of a raw window is (samples, channels)
            int16. An image that only answers has none.
        golden_count: golden vectors in the image; None: all.
        personal: a wearer's last layer can be sent to the board while it runs.
    """
    manifest = bundle.manifest
    report = built_report(bundle.folder, manifest)
    arena = arena_of(manifest.product, report.rows)
    arena_bytes = arena and needed_bytes(arena)
    # Built where TFLite Micro was not installed, a bundle has plain C alone.
    unknown = arena is None and not any(row.arena for row in report.rows)
    if not unknown and (not arena_bytes or not 0 < arena_bytes < _MOST_ARENA_BYTES):
        raise altered(bundle.folder / REPORT_FILE, "it has no arena of the int8 product")
    settings = FirmwareSettings(
        name=manifest.title,
        labels=manifest.class_names,
        arena_bytes=arena_bytes,
        arena_how=f"{arena.how} ABI: {arena.abi}." if arena else "",
        arenas=arenas_of(bundle.product, report.rows) if arena else (),
        front_end=bundle.front_end,
        decision=manifest.decision,
        golden=bundle.golden,
        synthetic=manifest.synthetic,
        generator=f"kd-edge {__version__}",
        golden_count=golden_count or len(bundle.golden.labels),
        personal=personal,
        pixels=manifest.pixels,
    )
    return firmware_sources(
        bundle.product, board, settings, engine=engine, stream=stream, replay=replay
    )


def bundle_image(bundle: BoardBundle, board: Board, out: Path, **more) -> FirmwareImage:
    """Build the bundle's image for an emulated board; `more` as `bundle_firmware`.

    Raises:
        KdEdgeError KD_MISSING_TOOL, KD_COMPILE, KD_BOARD_FULL: as `build_image`.
    """
    return build_firmware(bundle_firmware(bundle, board, **more), board, out)
