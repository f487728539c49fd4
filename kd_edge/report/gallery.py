"""Examples for the eye: pictures beside what they show and what the product sees in them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """One picture.

    Attributes:
        title: what it is, such as 'truth'.
        png: a PNG file in base64.
        width, height: in pixels.
    """

    title: str
    png: str
    width: int
    height: int


@dataclass(frozen=True)
class Shown:
    """One example.

    Attributes:
        name: where it came from.
        words: what is said of it.
    """

    name: str
    words: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Gallery:
    """Some examples of one part.

    Attributes:
        title: of the section.
        meaning: how they were chosen and who answered, in a sentence or two.
        legend: (name, colour as '#rrggbb') of each class in painted tiles; () where none is.
    """

    title: str
    meaning: str
    legend: tuple[tuple[str, str], ...]
    shown: tuple[Shown, ...]
