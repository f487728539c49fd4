"""From images to examples: decoded, fitted to the model's input, with their truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from kd_edge.base.pixel_values import scaled
from kd_edge.base.pixels import PixelInput
from kd_edge.examples.sets import Examples, Groups
from kd_edge.examples.stored import write_rows
from kd_edge.images.fitting import fitted_mask, fitted_pixels
from kd_edge.images.image import Image, checked_mask


def image_examples(
    images: Sequence[Image],
    wanted: PixelInput,
    class_names: tuple[str, ...],
    *,
    file: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Examples:
    """Decode every image and its mask, and bring them to the model's input.

    Args:
        images: all with a label in `class_names`, or all with a mask.
        class_names: in the model's output order; of masks, the names of values 0, 1, ….
        file: NPY file that the images' input is written to, so that it stays on disk; None: in
            memory. Truth is always in memory.
        progress: called with the number of images done.

    Returns:
        Examples with one input, (n, height, width, channels) float32, and truth (n,) int64, or
        (n, height, width) int16 where images have masks.

    Raises:
        KdEdgeError KD_BAD_FORMAT, KD_TRUNCATED (a file), KD_SHAPE (a mask of another size than its
            image), KD_LABELS (a mask's value that is no class): the file is named.
    """
    masked = images[0].mask is not None
    truth_shape = wanted.size if masked else ()
    truth = np.empty((len(images), *truth_shape), np.int16 if masked else np.int64)
    code = {name: index for index, name in enumerate(class_names)}

    def rows() -> Iterator[np.ndarray]:
        for index, image in enumerate(images):
            pixels = image.pixels()
            truth[index] = (
                fitted_mask(checked_mask(image, pixels.shape, class_names), wanted)
                if masked
                else code[image.label]
            )
            yield scaled(fitted_pixels(pixels, wanted), wanted)
            if progress:
                progress(index + 1)

    shape = (len(images), *wanted.shape)
    if file is None:
        inputs = np.empty(shape, np.float32)
        for index, row in enumerate(rows()):
            inputs[index] = row
    else:
        inputs = write_rows(file, rows(), shape, np.float32)
    return Examples(
        inputs={wanted.input: inputs},
        truth=truth,
        groups=Groups.of(range(len(images)), [image.info() for image in images]),
        class_names=class_names,
        synthetic=any(image.synthetic for image in images),
    )
