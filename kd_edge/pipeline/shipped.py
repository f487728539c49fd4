"""The int8 product of a bundle: one model, or a composition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.formats import SHIPPED
from kd_edge.base.product import Product, read_product
from kd_edge.measure.results import Arena
from kd_edge.pipeline.bundle import REPORT_FILE, Manifest, altered, bundled_file
from kd_edge.report.tree import Row


def shipped(folder: Path, manifest: Manifest, *, built: bool = True) -> Product:
    """What the bundle in `folder` ships, read from its int8 files.

    Args:
        built: the manifest names its files, so their digests hold; False while it is being built.

    Raises:
        KdEdgeError KD_NO_FILE: a model of it has no int8 file.
        KdEdgeError KD_BUNDLE_ALTERED: the manifest uses a file without its digest.
        KdEdgeError: as `read_product`.
    """
    paths, windows = {}, {}
    for model in manifest.members:
        int8 = model.format(SHIPPED)
        if int8 is None:
            raise KdEdgeError(
                "KD_NO_FILE",
                f"the bundle has no int8 model of '{model.name}'",
                where=str(folder),
                hint="build it again; boards run int8",
            )
        paths[model.name] = (
            bundled_file(folder, manifest, int8.file) if built else folder / int8.file
        )
        windows[model.name] = model.inputs
    return read_product(paths, manifest.composition, windows=windows)


def arena_of(model: str, rows: Sequence[Row]) -> Arena | None:
    """The measured arena of the int8 model, or composition, of that name."""
    found = (r.arena for r in rows if r.model == model and r.format == SHIPPED and r.arena)
    return next(found, None)


def needed_bytes(arena: Arena) -> int:
    """Of TFLite Micro, without a margin."""
    return arena.smallest_bytes or arena.used_bytes


def arenas_of(product: Product, rows: Sequence[Row]) -> tuple[int, ...]:
    """Bytes that each of several models needs, in the product's order; () of one model.

    Raises:
        KdEdgeError KD_BUNDLE_ALTERED: the report lacks one.
    """
    if product.composition is None:
        return ()
    arenas = [arena_of(member.name, rows) for member in product.members]
    if None in arenas:
        raise altered(Path(REPORT_FILE), "it has no arena of a model that ships")
    return tuple(needed_bytes(arena) for arena in arenas)
