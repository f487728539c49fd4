"""How an image becomes a model's input: what training, this host and a board must do alike."""

from __future__ import annotations

from dataclasses import dataclass

# Truth of a pixel (or a sample) that has no class: it is neither learned nor counted.
NO_CLASS = -1

# Channels of each kind of image.
CHANNELS = {"grey": 1, "rgb": 3}


@dataclass(frozen=True)
class PixelInput:
    """A model input that holds an image.

    Attributes:
        name: of the model input.
        height, width: in pixels, after resizing.
        channels: a key of `CHANNELS`; 'grey' weighs red, green and blue as ITU-R BT.601 does.
        low, high: what the pixel values 0 and 255 become; those between lie on a line.
        resize: 'stretch' (to the size, whatever the image's shape), 'pad' (as large as fits, black
            around it) or 'crop' (as small as covers the size, cut around the middle).
    """

    name: str
    height: int
    width: int
    channels: str
    low: float
    high: float
    resize: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one image."""
        return (self.height, self.width, CHANNELS[self.channels])
