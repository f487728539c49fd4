"""A raw window on the wire, and what the model's inputs then are: Python's own answer."""

from __future__ import annotations

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import Counts, FrontEndConstants, raw_samples


def raw_bytes(front_end: FrontEndConstants) -> int:
    """Size of a raw window, which has every stream of the front end."""
    return sum(2 * rows * columns for rows, columns in _shapes(front_end).values())


def pack_raw(counts: Counts, front_end: FrontEndConstants) -> bytes:
    """A raw window as a board takes it: streams in order, each sample's channels side by side.

    Args:
        counts: as `kd_edge.examples.raw.cut_counts` gives them.
        front_end: as `model_front_end` leaves it.

    Raises:
        KdEdgeError KD_SHAPE: counts of another shape.
    """
    for name, shape in _shapes(front_end).items():
        if counts[name].shape != shape:
            raise KdEdgeError(
                "KD_SHAPE",
                f"a raw window of '{name}' is {shape} counts, not {counts[name].shape}",
                hint="cut it with the front end that the model was built with",
            )
    return b"".join(counts[name].astype("<i2").tobytes() for name in _shapes(front_end))


def unpack_raw(content: bytes, front_end: FrontEndConstants) -> dict[str, np.ndarray]:
    """The counts of a raw window: stream -> (samples, channels) int16.

    Raises:
        KdEdgeError KD_SHAPE: another number of bytes.
    """
    if len(content) != raw_bytes(front_end):
        raise KdEdgeError(
            "KD_SHAPE",
            f"a raw window has {raw_bytes(front_end)} bytes, not {len(content)}",
            hint="use the front end that the firmware was built with",
        )
    counts, at = {}, 0
    for name, shape in _shapes(front_end).items():
        n_values = shape[0] * shape[1]
        values = np.frombuffer(content, "<i2", n_values, at)
        counts[name] = values.reshape(shape).astype(np.int16)
        at += 2 * n_values
    return counts


def _shapes(front_end: FrontEndConstants) -> dict[str, tuple[int, int]]:
    """(samples, channels) of each stream in a raw window, in order."""
    channels = {stream.name: len(stream.channels) for stream in front_end.streams}
    return {name: (n, channels[name]) for name, n in raw_samples(front_end).items()}
