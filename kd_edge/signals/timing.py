"""What a column of times says: the rate, whether it agrees with a stated one, where gaps are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_edge.errors import KdEdgeError

# Trigno sensors send whole numbers of samples in frames of 13.5 ms, so their rates are multiples
# of 1 / 13.5 ms: 2 samples 148.148 Hz, 15 1111.11 Hz, 17 1259.259 Hz, 27 2000 Hz, 30 2222.22 Hz.
TRIGNO_FRAME_S = 0.0135
RATE_TOLERANCE = 0.01


@dataclass(frozen=True)
class Gap:
    """A place where samples are missing: after time `start_s`, for `length_s`."""

    start_s: float
    length_s: float


@dataclass(frozen=True, eq=False)
class Timing:
    """Rate and start of a stream, from its times.

    Attributes:
        rate_hz: the stated rate where there is one, else the times' own.
        start_s: the first time.
        times_s: (n,) the times where they are uneven, else None.
        gaps: in order of time.
    """

    rate_hz: float
    start_s: float
    times_s: np.ndarray | None
    gaps: tuple[Gap, ...]


def timing(
    times_s: np.ndarray, *, stated_hz: float | None, where: str, digits: int | None = None
) -> Timing:
    """Rate, start and gaps of samples taken at `times_s`.

    Args:
        times_s: (n,) s.
        stated_hz: the rate that the file states elsewhere, if it does.
        where: the column, for messages.
        digits: significant digits of the times where the writer rounds them (EMGworks: 7).

    Raises:
        KdEdgeError KD_BAD_FORMAT: times that go back, or fewer than two and no stated rate.
        KdEdgeError KD_RATE_MISMATCH: times and `stated_hz` differ by more than 1 %.
    """
    times_s = np.asarray(times_s, dtype=np.float64)
    if len(times_s) < 2:
        if stated_hz is None:
            raise KdEdgeError(
                "KD_BAD_FORMAT",
                "fewer than two times: no rate can be read from them",
                where=where,
                hint="the file may be cut; export it again",
            )
        return Timing(stated_hz, float(times_s[0]) if len(times_s) else 0.0, None, ())
    steps = np.diff(times_s)
    _must_increase(times_s, steps, where)
    resolution = _resolution(times_s, digits)
    period = _period(times_s, steps, resolution)
    gap_at = np.flatnonzero(steps > 1.5 * period + 2 * resolution)
    if stated_hz is not None and abs(period * stated_hz - 1) > RATE_TOLERANCE:
        raise KdEdgeError(
            "KD_RATE_MISMATCH",
            f"the times are {period * 1e3:.6g} ms apart ({1 / period:.6g} Hz), "
            f"but the file states {stated_hz:g} Hz",
            where=where,
            hint="correct the rate or the time column; a recording has one rate a channel",
        )
    uneven = len(gap_at) > 0 or bool(np.any(steps < 0.5 * period - 2 * resolution))
    gaps = tuple(Gap(float(times_s[i]), float(steps[i] - period)) for i in gap_at)
    return Timing(
        stated_hz if stated_hz is not None else 1 / period,
        float(times_s[0]),
        times_s if uneven else None,
        gaps,
    )


def irregular(times_s: np.ndarray, where: str) -> Timing:
    """Timing of a device that sends when it likes: the mean rate, and the times themselves.

    Raises:
        KdEdgeError KD_BAD_FORMAT: fewer than two times, times that go back, or all equal.
    """
    times_s = np.asarray(times_s, dtype=np.float64)
    if len(times_s) < 2:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            "fewer than two times: no rate can be read from them",
            where=where,
            hint="export without this device, or record for longer",
        )
    _must_increase(times_s, np.diff(times_s), where)
    rate_hz = (len(times_s) - 1) / float(times_s[-1] - times_s[0])
    return Timing(rate_hz, float(times_s[0]), times_s, ())


def snap_to_trigno(rate_hz: float, tolerance: float) -> float:
    """The Trigno rate within a relative `tolerance` of `rate_hz`, or `rate_hz` itself."""
    samples = round(rate_hz * TRIGNO_FRAME_S)
    snapped = samples / TRIGNO_FRAME_S
    return snapped if samples and abs(snapped - rate_hz) <= tolerance * rate_hz else rate_hz


def _must_increase(times_s: np.ndarray, steps: np.ndarray, where: str) -> None:
    back = np.flatnonzero(steps < 0)
    if len(back) or times_s[-1] <= times_s[0]:
        at = int(back[0]) + 1 if len(back) else len(times_s) - 1
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"times must increase; {times_s[at]:g} s follows {times_s[at - 1]:g} s",
            where=f"{where}, sample {at + 1}",
            hint="sort the rows by time, or export the file again",
        )


def _resolution(times_s: np.ndarray, digits: int | None) -> float:
    largest = max(abs(float(times_s[0])), abs(float(times_s[-1])))
    if digits is None or largest == 0:
        return 0.0
    return 10.0 ** (np.floor(np.log10(largest)) + 1 - digits)


def _period(times_s: np.ndarray, steps: np.ndarray, resolution: float) -> float:
    """Seconds a sample: the mean step, unless long steps (gaps) pull it away from the usual one."""
    mean = float(times_s[-1] - times_s[0]) / len(steps)
    usual = float(np.median(steps))
    if usual > 0 and abs(mean - usual) > RATE_TOLERANCE * usual + resolution:
        near = steps[np.abs(steps - usual) <= 0.5 * usual + resolution]
        return float(near.mean())
    return mean
