"""An image, before it is decoded: where it is, what it shows, and whom it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

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
