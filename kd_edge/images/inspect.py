"""What is in an image set: the figures behind `kd-edge data inspect`, and a contact sheet."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import atomic_path
from kd_edge.base.pixels import NO_CLASS
from kd_edge.images.image import Image, ImageSet, checked_mask
from kd_edge.images.near_duplicates import groups_of, look_of
from kd_edge.signals.inspect import Problem

# Bits of 64: as docs/images.md advises to begin with.
NEAR_BITS = 4
# Of the contact sheet: a row a class, the pictures of a row, and the pixels of a picture's side.
_ROWS, _COLUMNS, _SIDE = 24, 10, 96
_LABEL = 14  # pixels of a row's heading
_RARE = 100  # of so many images fewer than one has an odd size


@dataclass(frozen=True)
class Count:
    """How many images bear a name."""

    name: str
    images: int


@dataclass(frozen=True)
class PixelShare:
    """How many of all masks' pixels, in %, are of a class."""

    name: str
    percent: float


@dataclass(frozen=True)
class ImageInspection:
    """Everything that can be said of images before one learns from them.

    Attributes:
        sizes: such as '224 x 224 grey', height first, with how many images have it.
        odd_sizes: names of images whose size fewer than one in a hundred has, while most have
            another one, with it.
        classes: labels, or '(mask)'; subjects, sessions: '(none)' where unknown.
        pixel_classes: of masks: the classes, by name or value, '(none)' without one; None where
            images have labels.
        duplicates: groups of names whose files are the same.
        near_duplicates: groups of names that look alike and are not all the same file; None if it
            was not looked for.
        near_bits: bits of 64 in which two of a group may differ.
        across: how many groups of both kinds lie in several sessions.
        under_labels: those of both kinds that lie under several labels.
        problems: reasons why a build would stop, one a damaged file.
    """

    path: str
    images: int
    sizes: tuple[Count, ...]
    odd_sizes: tuple[tuple[str, str], ...]
    classes: tuple[Count, ...]
    pixel_classes: tuple[PixelShare, ...] | None
    subjects: tuple[Count, ...]
    sessions: tuple[Count, ...]
    duplicates: tuple[tuple[str, ...], ...]
    near_duplicates: tuple[tuple[str, ...], ...] | None
    near_bits: int
    across: int
    under_labels: tuple[tuple[str, ...], ...]
    problems: tuple[Problem, ...]


def inspect_images(
    found: ImageSet,
    path: Path,
    *,
    near: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[ImageInspection, np.ndarray]:
    """Decode every image once and say what the set is.

    Args:
        near: whether near duplicates are looked for, which needs imagehash.
        progress: called with (done, total).

    Returns:
        The figures, and some images of each class as one picture, (height, width, 3) uint8.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE: imagehash is not installed.
    """
    images, problems = found.images, []
    sizes: dict[int, str] = {}
    pixels_of: Counter[int] = Counter()
    sheet = _Collecting(images)
    looks: dict[int, np.ndarray] = {}
    for index, image in enumerate(images):
        try:
            pixels = _decoded(image, found.class_names, pixels_of)
        except KdEdgeError as error:
            problems.append(Problem(error.code, error.message, error.where, error.hint))
            continue
        sizes[index] = _size(pixels)
        sheet.see(index, pixels)
        if near:
            looks[index] = look_of(pixels)
        if progress:
            progress(index + 1, len(images))
    names = [_name(image, path) for image in images]
    copies = _groups([image.content_sha256 for image in images])
    alike = _alike(images, looks) if near else None
    together = [*copies, *(alike or ())]
    inspection = ImageInspection(
        path=str(path),
        images=len(images),
        sizes=_counts(sizes.values()),
        odd_sizes=tuple((names[i], sizes[i]) for i in _odd(sizes)),
        classes=_counts(i.label if i.label is not None else "(mask)" for i in images),
        pixel_classes=_shares(pixels_of, found.class_names),
        subjects=_counts(i.subject or "(none)" for i in images),
        sessions=_counts(i.session or "(none)" for i in images),
        duplicates=_named(copies, names),
        near_duplicates=None if alike is None else _named(alike, names),
        near_bits=NEAR_BITS,
        across=len(_several(together, [image.session for image in images])),
        under_labels=_named(_several(together, [image.label for image in images]), names),
        problems=tuple(problems),
    )
    return inspection, sheet.drawn()


def _decoded(
    image: Image, class_names: Sequence[str] | None, pixels_of: Counter[int]
) -> np.ndarray:
    """An image's pixels; its mask's are counted by value."""
    pixels = image.pixels()
    if image.mask is not None:
        mask = checked_mask(image, pixels.shape, class_names)
        values, counts = np.unique(mask, return_counts=True)
        pixels_of.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    return pixels


def _counts(names: Iterable[str]) -> tuple[Count, ...]:
    return tuple(Count(name, n) for name, n in sorted(Counter(names).items()))


def _odd(sizes: dict[int, str]) -> list[int]:
    """Which of the images have a size that hardly any other has, if most have one."""
    often = Counter(sizes.values())
    if 2 * max(often.values(), default=0) < len(sizes):
        return []
    return [index for index, size in sizes.items() if _RARE * often[size] < len(sizes)]


def _shares(
    pixels_of: Counter[int], class_names: Sequence[str] | None
) -> tuple[PixelShare, ...] | None:
    if not pixels_of:
        return None
    total = sum(pixels_of.values())
    values = sorted({*pixels_of, *range(len(class_names or ()))})
    named = {v: class_names[v] if class_names else str(v) for v in values if v != NO_CLASS}
    return tuple(
        PixelShare(named.get(value, "(none)"), 100 * pixels_of[value] / total) for value in values
    )


def _size(pixels: np.ndarray) -> str:
    height, width = pixels.shape[:2]
    return f"{height} x {width} {'grey' if pixels.ndim == 2 else 'rgb'}"


def _name(image: Image, root: Path) -> str:
    return image.source.removeprefix(f"{root}/")


def _groups(keys: Sequence[object]) -> list[list[int]]:
    """Indices of those with one key, where there are several."""
    members = defaultdict(list)
    for index, key in enumerate(keys):
        members[key].append(index)
    return [group for group in members.values() if len(group) > 1]


def _alike(images: Sequence[Image], looks: dict[int, np.ndarray]) -> list[list[int]]:
    """Groups that look alike, of more than one file's content."""
    seen = [*looks]
    if not seen:
        return []
    firsts = groups_of(np.stack([looks[i] for i in seen]), NEAR_BITS)
    groups = [[seen[i] for i in group] for group in _groups(firsts.tolist())]
    return [g for g in groups if len({images[i].content_sha256 for i in g}) > 1]


def _named(groups: list[list[int]], names: list[str]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(names[i] for i in group) for group in groups)


def _several(groups: list[list[int]], values: Sequence[str | None]) -> list[list[int]]:
    """The groups whose members differ in it."""
    return [group for group in groups if len({values[i] for i in group}) > 1]


class _Collecting:
    """The contact sheet while the images go by: some of each class, evenly over the set."""

    def __init__(self, images: Sequence[Image]):
        of_class = defaultdict(list)
        for index, image in enumerate(images):
            of_class[image.label or ""].append(index)
        self._rows = {label: _evenly(of_class[label]) for label in sorted(of_class)[:_ROWS]}
        self._place = {
            index: (row, column)
            for row, chosen in enumerate(self._rows.values())
            for column, index in enumerate(chosen)
        }
        height = max(1, len(self._rows)) * (_SIDE + _LABEL)
        self._sheet = PIL.Image.new("RGB", (_COLUMNS * _SIDE, height), "white")

    def see(self, index: int, pixels: np.ndarray) -> None:
        """Draw the image if it was chosen."""
        if index not in self._place:
            return
        row, column = self._place[index]
        small = PIL.Image.fromarray(pixels).convert("RGB")
        small.thumbnail((_SIDE - 2, _SIDE - 2))
        self._sheet.paste(small, (column * _SIDE, row * (_SIDE + _LABEL) + _LABEL))

    def drawn(self) -> np.ndarray:
        """(height, width, 3) uint8, with each row's class above it."""
        draw = PIL.ImageDraw.Draw(self._sheet)
        for row, label in enumerate(self._rows):
            text = "".join(c if c.isascii() and c.isprintable() else "?" for c in label)
            draw.text((2, row * (_SIDE + _LABEL) + 1), text, fill="black")
        return np.asarray(self._sheet)


def _evenly(indices: list[int]) -> list[int]:
    if len(indices) <= _COLUMNS:
        return indices
    return [indices[round(i)] for i in np.linspace(0, len(indices) - 1, _COLUMNS)]


def write_sheet(sheet: np.ndarray, out_png: Path) -> None:
    """Write a contact sheet, (height, width, 3) uint8, as PNG. Raises KD_OUTPUT: it cannot be."""
    with atomic_path(out_png) as temporary:
        PIL.Image.fromarray(sheet).save(temporary, format="PNG")
