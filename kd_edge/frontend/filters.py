"""The front end: from a sensor's samples to what windows are cut from, stated once as numbers.

`design_stream` turns settings into `StreamConstants`; `apply_stream` runs them here. A
board runs the same: biquads, differences, rectifier, biquads, polyphase filter. Then come
logarithm and normalisers, whose numbers `examples.normalising` fits.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy import signal

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import Biquads, StreamConstants
from kd_edge.frontend.settings import StreamFrontEnd
from kd_edge.signals.recording import same_rate

# Resampling ratios beyond this need filters that no board would run.
LARGEST_RATIO_TERM = 64


def design_stream(
    modality: str,
    settings: StreamFrontEnd,
    *,
    channels: tuple[str, ...],
    source_rate_hz: float,
    unit: str = "",
    lsb: float | None = None,
) -> StreamConstants:
    """Coefficients for one modality, with a normaliser that does nothing yet.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: a frequency at or beyond half the rate, or a rate that is no
            ratio of integers up to 64.

    Example:
        >>> settings = StreamFrontEnd(high_pass_hz=20, order=2, rate_hz=200)
        >>> design = design_stream("emg", settings, channels=("EMG 1",), source_rate_hz=1000)
        >>> design.up, design.down, len(design.sos), len(design.fir)
        (1, 5, 1, 101)
    """
    sections = _filter_sections(modality, settings, source_rate_hz)
    envelope = _envelope_sections(modality, settings, source_rate_hz)
    up, down = _ratio(modality, settings.rate_hz, source_rate_hz)
    n_features = len(channels) * (settings.differences + 1)
    return StreamConstants(
        name=modality,
        channels=channels,
        unit=unit,
        source_rate_hz=source_rate_hz,
        rate_hz=source_rate_hz * up / down,
        lsb=lsb,
        sos=_rows(sections),
        sos_zi=_rows(_steady_state(sections)),
        envelope_sos=_rows(envelope),
        envelope_zi=_rows(_steady_state(envelope)),
        up=up,
        down=down,
        fir=_taps(up, down),
        mean=(0.0,) * n_features,
        scale=(1.0,) * n_features,
        causal=settings.causal,
        differences=settings.differences,
    )


def apply_stream(samples: np.ndarray, constants: StreamConstants) -> np.ndarray:
    """Filter, take differences, rectify, filter and resample; the normaliser is not applied.

    Args:
        samples: (n_samples, n_channels) in `constants.unit`.

    Returns:
        (ceil(n_samples * up / down), n_features) float32.

    Example:
        >>> settings = StreamFrontEnd(rate_hz=200)
        >>> design = design_stream("emg", settings, channels=("EMG 1",), source_rate_hz=1000)
        >>> apply_stream(np.ones((501, 1)), design).shape
        (101, 1)
    """
    x = np.asarray(samples, dtype=np.float64)
    x = _filter(x, constants.sos, constants.sos_zi, causal=constants.causal)
    if constants.rectify:
        x = np.abs(with_differences(x, x[:1], constants))
        x = _filter(x, constants.envelope_sos, constants.envelope_zi, causal=constants.causal)
    if constants.fir:
        x = _resample(x, constants)
    return x.astype(np.float32)


def with_differences(x: np.ndarray, before: np.ndarray, constants: StreamConstants) -> np.ndarray:
    """A filtered signal, and behind its channels those of each difference from sample to sample.

    Args:
        x: (samples, channels).
        before: (1 or more, channels), the samples before them; what would be before those is
            alike.
    """
    n = constants.differences
    past = np.concatenate([np.repeat(before[:1], n, axis=0), before])[len(before) :]
    line = np.concatenate([past, x])
    return np.concatenate([np.diff(line[n - k :], k, axis=0) for k in range(n + 1)], axis=1)


def _filter_sections(modality: str, settings: StreamFrontEnd, rate_hz: float) -> np.ndarray:
    sections = []
    if settings.band_pass_hz:
        edges = [_below_half(f, rate_hz, modality, "band_pass_hz") for f in settings.band_pass_hz]
        sections.append(signal.butter(settings.order, edges, "bandpass", fs=rate_hz, output="sos"))
    if settings.high_pass_hz:
        edge = _below_half(settings.high_pass_hz, rate_hz, modality, "high_pass_hz")
        sections.append(signal.butter(settings.order, edge, "highpass", fs=rate_hz, output="sos"))
    for frequency in settings.notch_hz:
        centre = _below_half(frequency, rate_hz, modality, "notch_hz")
        sections.append(signal.tf2sos(*signal.iirnotch(centre, settings.notch_q, fs=rate_hz)))
    return np.concatenate(sections) if sections else np.zeros((0, 6))


def _envelope_sections(modality: str, settings: StreamFrontEnd, rate_hz: float) -> np.ndarray:
    if settings.envelope_hz is None:
        return np.zeros((0, 6))
    edge = _below_half(settings.envelope_hz, rate_hz, modality, "envelope_hz")
    return signal.butter(2, edge, "lowpass", fs=rate_hz, output="sos")


def _below_half(frequency_hz: float, rate_hz: float, modality: str, key: str) -> float:
    if frequency_hz < rate_hz / 2:
        return frequency_hz
    raise KdEdgeError(
        "KD_RECIPE_VALUE",
        f"{frequency_hz:g} Hz is not below half the sample rate, {rate_hz / 2:g} Hz",
        where=f"front_end.{modality}.{key}",
        hint="name a lower frequency, or leave the filter out",
    )


def _ratio(modality: str, wanted_hz: float | None, source_hz: float) -> tuple[int, int]:
    if wanted_hz is None:
        return 1, 1
    where = f"front_end.{modality}.rate_hz"
    if wanted_hz > source_hz * (1 + 1e-4):
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"rate_hz {wanted_hz:g} is above the recordings' {source_hz:g} Hz",
            where=where,
            hint="windows are decimated, never interpolated upwards; name a lower rate",
        )
    ratio = Fraction(wanted_hz / source_hz).limit_denominator(LARGEST_RATIO_TERM)
    nearest = max(ratio, Fraction(1, LARGEST_RATIO_TERM))
    if not same_rate(source_hz * ratio, wanted_hz):
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"{source_hz:g} Hz to {wanted_hz:g} Hz is no ratio of integers up to "
            f"{LARGEST_RATIO_TERM}",
            where=where,
            hint=f"the nearest is {float(source_hz * nearest):.6g} Hz ({nearest})",
        )
    return ratio.numerator, ratio.denominator


def _taps(up: int, down: int) -> tuple[float, ...]:
    """Linear-phase low-pass at the lower half rate, as long as SciPy's resample_poly makes it."""
    if up == down:
        return ()
    cutoff = 1 / max(up, down)
    taps = signal.firwin(tap_count(up, down), cutoff, window=("kaiser", 5.0)) * up
    return tuple(float(tap) for tap in taps)


def tap_count(up: int, down: int) -> int:
    """How many taps a resampler by up / down has; 0 for none."""
    return 0 if up == down else 20 * max(up, down) + 1


def _steady_state(sections: np.ndarray) -> np.ndarray:
    return signal.sosfilt_zi(sections) if len(sections) else np.zeros((0, 2))


def _rows(array: np.ndarray) -> Biquads:
    return tuple(tuple(float(value) for value in row) for row in array)


def _filter(x: np.ndarray, sos: Biquads, zi: Biquads, *, causal: bool) -> np.ndarray:
    if not sos:
        return x
    sections = np.array(sos)
    if not causal:
        return signal.sosfiltfilt(sections, x, axis=0)
    # One state a section and channel, scaled by the first sample: (sections, 2, channels).
    state = np.array(zi)[:, :, None] * x[0][None, None, :]
    return signal.sosfilt(sections, x, axis=0, zi=state)[0]


def _resample(x: np.ndarray, constants: StreamConstants) -> np.ndarray:
    """Polyphase resampling; where causal, output m uses inputs up to m * down / up."""
    up, down, taps = constants.up, constants.down, np.array(constants.fir)
    n_out = -(-len(x) * up // down)
    if not constants.causal:
        return signal.resample_poly(x, up, down, axis=0, window=taps / up, padtype="edge")[:n_out]
    # The past is the first sample, held, for as many inputs as the taps reach back, rounded up so
    # that the first output falls on a whole output step.
    history = -(-(len(taps) - 1) // (up * down)) * down
    padded = np.concatenate([np.repeat(x[:1], history, axis=0), x])
    first = history * up // down
    return signal.upfirdn(taps, padded, up, down, axis=0)[first : first + n_out]
