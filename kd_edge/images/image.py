"""An image, before it is decoded: where it is, what it shows, and whom it comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.pixels import NO_CLASS
from kd_edge.signals.recording import RecordingInfo


@dataclass(frozen=True, eq=False)
class Image:
    """One image of a set; its pixels are decoded when they are asked for.

    Attributes:
        source: the file (and member) that it came from, for messages.
        content_sha256: of the file's bytes, or of an array's: equal for copies under other names.
        pixels: () -> (height, width) or (height, width, 3) uint8.
        label: class of the whole image; None where it has a mask, or nothing is known.
        mask: () -> (height, width) int16, the class of each pixel as an index into the set's
            `class_names`, or NO_CLASS; None for an image without.
        mask_source: the mask's file, for messages; '' where it is the image's.
        subject, session: names; '' where unknown.
        group: the first of the images that look like this one, by name; '' where none were
            looked for. look: its perceptual hash in hexadecimal, 64 bits; '' as well.
        synthetic: made by a generator; everything derived from it says so.
    """

    source: str
    content_sha256: str
    pixels: Callable[[], np.ndarray]
    label: str | None = None
    mask: Callable[[], np.ndarray] | None = None
    mask_source: str = ""
    subject: str = ""
    session: str = ""
    group: str = ""
    look: str = ""
    synthetic: bool = False

    def info(self) -> RecordingInfo:
        """What splits and checks need to know of it, without its pixels."""
        return RecordingInfo(
            name=self.source,
            label=self.label,
            subject=self.subject,
            session=self.session,
            trial=0,
            started=None,
            synthetic=self.synthetic,
            content_sha256=self.content_sha256,
            kind="image",
            group=self.group,
            look=self.look,
        )


@dataclass(frozen=True, eq=False)
class ImageSet:
    """The images of one dataset, all with a label or all with a mask.

    Attributes:
        class_names: of the masks' values 0, 1, …; None where labels name the classes.
    """

    images: tuple[Image, ...]
    class_names: tuple[str, ...] | None = None


def checked_mask(
    image: Image, shape: tuple[int, ...], class_names: Sequence[str] | None
) -> np.ndarray:
    """An image's mask, (height, width) int16.

    Args:
        shape: of the image's pixels. class_names: of values 0, 1, …; None: every value may be.

    Raises:
        KdEdgeError KD_SHAPE: it has another size. KD_LABELS: it holds a value that is no class.
    """
    mask = image.mask()
    source = image.mask_source or image.source
    if mask.shape != shape[:2]:
        raise KdEdgeError(
            "KD_SHAPE",
            f"the mask has {mask.shape[0]} x {mask.shape[1]} pixels, its image {shape[0]} x "
            f"{shape[1]}",
            where=source,
            hint="a mask has its image's size, pixel for pixel",
        )
    if class_names is None:
        return mask
    strange = sorted(set(np.unique(mask)) - {NO_CLASS, *range(len(class_names))})
    if strange:
        raise KdEdgeError(
            "KD_LABELS",
            f"the mask holds {', '.join(map(str, strange[:6]))}, and the classes are 0 to "
            f"{len(class_names) - 1}",
            where=source,
            hint="name every class, or leave the value out that has none: ignore = "
            f"{strange[-1]} in dataset.options, --option ignore={strange[-1]}",
        )
    return mask
