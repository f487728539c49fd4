"""Copies of training windows as another day might have recorded them: gain, offset and onset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from kd_edge.windows import WindowSet


def augment(
    windows: WindowSet,
    *,
    copies: int,
    gain: float,
    offset: float,
    shift_samples: int | Mapping[str, int],
    seed: int,
) -> WindowSet:
    """The windows, then `copies` changed copies of all of them; for the training part only.

    Args:
        windows: (n, [steps,] samples, channels) an input; steps shift along their joined time.
        copies: how many a window; 0 gives the windows as they are.
        gain: standard deviation of the logarithm of a channel's factor.
        offset: standard deviation of what is added to a channel, in the windows' units.
        shift_samples: largest shift in time, in samples of each input (or of every input); one
            window's inputs shift by the same part of theirs. The edge value fills the gap.
        seed: the same seed gives the same copies.

    Returns:
        (1 + copies) * n windows: the originals first, in their order.
    """
    rng = np.random.default_rng(seed)
    n = len(windows)
    inputs = {name: [array] for name, array in windows.inputs.items()}
    for _ in range(copies):
        # One draw for all inputs of a window: they were recorded at the same time.
        shift = rng.uniform(-1.0, 1.0, n)
        for name, array in windows.inputs.items():
            largest = shift_samples if isinstance(shift_samples, int) else shift_samples[name]
            copy = _shifted(array, np.rint(shift * largest).astype(np.int64))
            per_channel = (n,) + (1,) * (array.ndim - 2) + (array.shape[-1],)
            factor = np.exp(rng.normal(0.0, gain, per_channel))
            copy = copy * factor + rng.normal(0.0, offset, per_channel)
            inputs[name].append(copy.astype(array.dtype))
    indices = np.tile(np.arange(n), 1 + copies)
    return replace(
        windows,
        inputs={name: np.concatenate(parts) for name, parts in inputs.items()},
        labels=windows.labels[indices],
        recordings=windows.recordings[indices],
        subjects=windows.subjects[indices],
    )


def _shifted(array: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Each window later by its shift (earlier if negative), the edge sample held."""
    timeline = array.reshape(len(array), -1, array.shape[-1])
    samples = timeline.shape[1]
    source = np.clip(np.arange(samples)[None, :] - shifts[:, None], 0, samples - 1)
    return np.take_along_axis(timeline, source[:, :, None], axis=1).reshape(array.shape)
