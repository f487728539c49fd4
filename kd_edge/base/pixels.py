"""How an image becomes a model's input: what training, this host and a board must do alike."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from kd_edge.base.settings import Name, settings

# Truth of a pixel (or a sample) that has no class: no label is learned there, and nothing counted.
NO_CLASS = -1

_CHANNELS = {"grey": 1, "rgb": 3}
_Side = Annotated[int, Field(ge=1, le=4096)]


@settings
class PixelInput:
    """How images become a model's input.

    Attributes:
        size: [height, width] in pixels, after resizing.
        channels: 'grey' (red, green and blue weighed as ITU-R BT.601 does) or 'rgb'.
        resize: 'stretch' to the size whatever the image's shape; 'pad': as large as fits, black
            around it; 'crop': as small as covers the size, cut around the middle.
        range: what the pixel values 0 and 255 become; those between lie on a line.
        input: name of the model input.
    """

    size: tuple[_Side, _Side]
    channels: Literal["grey", "rgb"]
    resize: Literal["stretch", "pad", "crop"]
    range: tuple[float, float] = (0.0, 1.0)
    input: Name = "image"

    @model_validator(mode="after")
    def _has_a_range(self):
        if not self.range[0] < self.range[1]:
            raise ValueError("range is [low, high] with low < high")
        return self

    @property
    def height(self) -> int:
        """In pixels."""
        return self.size[0]

    @property
    def width(self) -> int:
        """In pixels."""
        return self.size[1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one image."""
        return (*self.size, _CHANNELS[self.channels])
