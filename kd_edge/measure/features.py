"""Simple features of sEMG and IMU windows, for plain baselines."""

from __future__ import annotations

import numpy as np

from kd_edge.examples import Examples

SEGMENT_S = 0.5
_SEGMENTS_WITHOUT_RATE = 4


def window_features(windows: Examples, *, rate_hz: dict[str, float] | None) -> np.ndarray:
    """Time-domain features of every channel in every segment of a window.

    Of each segment: mean absolute value, root mean square, waveform length, zero crossings (Hudgins
    et al., IEEE Trans. Biomed. Eng. 40, 1993, without his thresholds), mean, standard deviation.

    Args:
        rate_hz: model input -> samples a second; segments are about half a second then. None: four
            segments a window.

    Returns:
        (n_windows, features) float64.
    """
    return np.concatenate(
        [
            _input_features(array, None if rate_hz is None else rate_hz[name])
            for name, array in windows.inputs.items()
        ],
        axis=1,
    )


def _input_features(array: np.ndarray, rate_hz: float | None) -> np.ndarray:
    """(n, …, samples, channels) -> (n, features); steps are joined in time."""
    signal = array.reshape(len(array), -1, array.shape[-1]).astype(np.float64)
    n_samples = signal.shape[1]
    segments = _SEGMENTS_WITHOUT_RATE
    if rate_hz is not None:
        segments = max(1, round(n_samples / rate_hz / SEGMENT_S))
    parts = np.array_split(signal, min(segments, n_samples), axis=1)
    return np.concatenate([_segment_features(part) for part in parts], axis=1)


def _segment_features(signal: np.ndarray) -> np.ndarray:
    """(n, samples, channels) -> (n, 6 * channels)."""
    mean = signal.mean(axis=1)
    centred = signal - mean[:, None]
    crossings = np.count_nonzero(np.diff(np.signbit(centred), axis=1), axis=1)
    return np.concatenate(
        [
            np.abs(signal).mean(axis=1),
            np.sqrt((signal**2).mean(axis=1)),
            np.abs(np.diff(signal, axis=1)).sum(axis=1),
            crossings,
            mean,
            centred.std(axis=1),
        ],
        axis=1,
    )
