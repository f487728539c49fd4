"""A made-up gallery for the report's own tests."""

from __future__ import annotations

from kd_edge.report.gallery import Gallery, Shown, Tile


def gallery(hostile: str = "") -> Gallery:
    """A picture of one grey pixel beside what it shows."""
    png = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81y"
        "tgAAAABJRU5ErkJggg=="
    )
    tiles = (Tile(f"image{hostile}", png, 1, 1), Tile("truth", png, 1, 1))
    shown = (Shown(f"drive/7.png{hostile}", "64 % of the pixels are right", tiles),)
    return Gallery("Answers beside the truth", f"Chosen{hostile}.", (("sky", "#0080ff"),), shown)
