"""What a column of times says: its unit, the rate, whether that agrees with a stated one, gaps."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.recording import is_rate
from kd_edge.signals.titles import split_title

# Trigno sensors send whole numbers of samples in frames of 13.5 ms, so their rates are multiples
# of 1 / 13.5 ms: 2 samples 148.148 Hz, 15 1111.11 Hz, 17 1259.259 Hz, 27 2000 Hz, 30 2222.22 Hz.
TRIGNO_FRAME_S = 0.0135
RATE_TOLERANCE = 0.01
_FINEST_TICK_DIGITS = 9
LATEST_S = 1e10  # in the year 2286 on a Unix clock: what is later is in another unit
_TIME_UNITS = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "ms": ("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"),
    # Two characters look like this letter: the micro sign and the Greek one.
    "µs": (
        "us",
        "µs",
        "\u03bcs",
        "usec",
        "µsec",
        "\u03bcsec",
        "micros",
        "microsecond",
        "microseconds",
    ),
    "ns": ("ns", "nsec", "nanos", "nanosecond", "nanoseconds"),
    "min": ("min", "mins", "minute", "minutes"),
}
_SECONDS = {"s": (1, 1), "ms": (1, 1000), "µs": (1, 10**6), "ns": (1, 10**9), "min": (60, 1)}
_UNIT_OF = {name: unit for unit, names in _TIME_UNITS.items() for name in names}
# What a clock may count in that is no unit here: such a column is of times, and is refused.
_OTHER_UNITS = ("h", "hr", "hrs", "hour", "hours", "d", "day", "days", "ticks", "frames", "samples")
_WHICH_CLOCK = "(?:elapsed|unix|posix|epoch|utc|gmt|local|host|device|system|sensor|sample)"
_TIME_NAME = re.compile(
    rf"(?:{_WHICH_CLOCK} )*(?:time|times|t|ts|clock|epoch|time ?stamps?)(?: since start)?"
    rf"(?: {_WHICH_CLOCK})*|elapsed"
)
_CASE_CHANGE = re.compile(r"(?<=[a-z])(?=[A-Z])")  # 'timeMs'
_SEPARATORS = re.compile(r"[\s_/.:<>{}-]+")
_FEWEST_OF_A_CLOCK = 10


def is_time_title(title: str) -> bool:
    """Whether a column is called as times are: 'time', 't_ms', 'Timestamp (µs)', 'seconds'."""
    name, suffix = _time_name(title)
    return bool(suffix) or _TIME_NAME.fullmatch(name) is not None


def says_unit(title: str) -> bool:
    """Whether the title of a time column says what it counts in."""
    return bool(_time_name(title)[1] or split_title(title)[1])


def is_a_clock(values: np.ndarray) -> bool:
    """Whether (n,) values rise by nearly one step throughout: no signal of a body does."""
    if len(values) < _FEWEST_OF_A_CLOCK:
        return False
    steps = np.diff(values)
    mean = float(steps.mean())
    if steps.min() < 0 or mean <= 0:
        return False
    if np.ptp(steps) < 0.1 * mean:
        return True
    return _rounded_period(values, mean, ticks_s(values)) is not None


def clock(values: np.ndarray, title: str, where: str) -> tuple[np.ndarray, float]:
    """The seconds that a time column's numbers are, and the tick that its writer rounded to.

    Args:
        values: (n,) in the unit that `title` says; seconds where it says none.
        title: of the column: 'time (ms)', 't_us', 'seconds'.

    Returns:
        (n,) s, and the decimal step of the numbers in s, 0 where they have none.

    Raises:
        KdEdgeError KD_BAD_FORMAT: no unit of time, or two that differ ('t_us (ms)').
    """
    suffix, unit = _time_name(title)[1], split_title(title)[1]
    stated = {_UNIT_OF.get(word.lower()) for word in (unit, suffix) if word}
    if None in stated or len(stated) > 1:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"the time column '{title[:60]}' is in no unit of time that is known",
            where=where,
            hint=f"write one of {', '.join(_TIME_UNITS)}, such as 'time (ms)'; "
            "without a unit times are seconds",
        )
    unit = stated.pop() if stated else "s"
    # Whole factors, since 1 / 1000 is no binary number.
    factor, divisor = _SECONDS[unit]
    return values * factor / divisor, ticks_s(values) * factor / divisor


def _time_name(title: str) -> tuple[str, str]:
    """('time', 'ms') of 'Time_ms (…)'; the second is '' where the name says no unit."""
    name = _CASE_CHANGE.sub(" ", split_title(title)[0])
    words = _SEPARATORS.sub(" ", name).lower().split()
    if len(words) == 1 and len(words[0]) > 2 and words[0] in _UNIT_OF:
        return "time", words[0]  # 'seconds'; 's' and 'ms' may be anything
    for place in range(len(words) - 1, 0, -1):  # 'timestamp_ms_utc' has it in the middle
        rest = words[:place] + words[place + 1 :]
        stem = " ".join(rest[:-1] if rest[-1] == "in" else rest)
        known = words[place] in _UNIT_OF or words[place] in _OTHER_UNITS
        if known and _TIME_NAME.fullmatch(stem):
            return stem, words[place]
    return " ".join(words), ""


def ticks_s(times: np.ndarray) -> float:
    """The decimal step in s that all times, (n,) s, are multiples of: 0.001 for three decimals.

    Writers round times so. Evenly spaced samples then seem to be one tick too early or too late.
    0 where there is no such step, or where it is too fine to tell from the last bit.
    """
    blur = 4 * float(np.spacing(np.abs(times).max(initial=0.0)))
    for digits in range(_FINEST_TICK_DIGITS + 1):
        scale = 10.0**digits
        if blur * scale < 0.01 and np.all(np.abs(times - np.rint(times * scale) / scale) <= blur):
            return 1 / scale
    return 0.0


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
    times_s: np.ndarray,
    *,
    stated_hz: float | None,
    where: str,
    digits: int | None = None,
    tick_s: float = 0.0,
) -> Timing:
    """Rate, start and gaps of samples taken at `times_s`.

    Args:
        times_s: (n,) s.
        stated_hz: the rate that the file states elsewhere, if it does.
        where: the column, for messages.
        digits: significant digits of the times where the writer rounds them (EMGworks: 7).
        tick_s: how far apart the numbers lie that the times are kept in (float32); decimal ticks
            (whole ms, say) are found without it.

    Raises:
        KdEdgeError KD_BAD_FORMAT: times that go back or cannot be seconds, or fewer than two and no
            stated rate.
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
    _must_be_times(times_s, where)
    resolution = _resolution(times_s, digits)
    mean = float(times_s[-1] - times_s[0]) / len(steps)
    tick = max(ticks_s(times_s), tick_s)
    rounded_period = _rounded_period(times_s, mean, tick)
    on_ticks = rounded_period is not None
    period = rounded_period or _period(steps, mean, resolution, tick)
    if stated_hz is not None and abs(period * stated_hz - 1) > RATE_TOLERANCE:
        raise KdEdgeError(
            "KD_RATE_MISMATCH",
            f"the times are {period * 1e3:.6g} ms apart ({1 / period:.6g} Hz), "
            f"but the file states {stated_hz:g} Hz",
            where=where,
            hint="correct the rate or the time column; a recording has one rate a channel",
        )
    rate_hz = stated_hz if stated_hz is not None else _roundest(period, times_s)
    if on_ticks or not _long_or_short(steps, period, 2 * resolution).any():
        return Timing(rate_hz, float(times_s[0]), None, ())
    gaps = tuple(
        Gap(float(times_s[i]), float(steps[i] - period))
        # Rounding makes a step longer by less than a tick.
        for i in np.flatnonzero(steps > max(1.5 * period + 2 * resolution, period + tick))
    )
    return Timing(rate_hz, float(times_s[0]), times_s, gaps)


def is_even(times_s: np.ndarray, rate_hz: float) -> bool:
    """Whether samples at increasing times, (n,) s, are evenly spaced, but for their rounding."""
    period = 1 / rate_hz
    if not _long_or_short(np.diff(times_s), period, 0.0).any():
        return True
    return _rounded_period(times_s, period, ticks_s(times_s)) is not None


def _long_or_short(steps: np.ndarray, period: float, slack: float) -> np.ndarray:
    return (steps > 1.5 * period + slack) | (steps < 0.5 * period - slack)


def _rounded_period(times_s: np.ndarray, period: float, tick: float) -> float | None:
    """Seconds a sample where times are coarse (0, 1, 2, 2, 3 ms at 1259 Hz) and none is missing.

    Rounding moves a time by up to half a tick off the line through all of them. A lost sample
    moves all that follow by a whole period. The line's slope knows the period far better than the
    first and the last time do.
    """
    if tick < 0.1 * period:
        return None
    steps = np.diff(times_s)
    # One or two long steps are rather lost samples than a period that is no whole number of ticks.
    if tick <= 1.5 * period and 0 < int((steps > 1.5 * period).sum()) < 3:
        return None
    numbers = np.arange(len(times_s))
    since = times_s - times_s[0]
    line = np.polynomial.Polynomial.fit(numbers, since, 1)
    if np.ptp(since - line(numbers)) > 1.5 * tick:
        return None
    if np.ptp(steps) < 0.5 * tick:  # a whole number of ticks
        return float(since[-1]) / len(steps)
    return float(line.deriv()(0.0))


def _roundest(period_s: float, times_s: np.ndarray) -> float:
    """1 / `period_s` with as few digits as the times' last bits allow: 200, not 199.99997."""
    doubt = np.spacing(np.abs(times_s).max()) / (len(times_s) - 1) / period_s
    rate_hz = 1 / period_s
    for digits in range(1, 16):
        rounded = float(f"{rate_hz:.{digits}g}")
        if abs(rounded - rate_hz) <= 2 * doubt * rate_hz:
            return rounded
    return rate_hz


def irregular(times_s: np.ndarray, where: str) -> Timing:
    """Timing of a device that sends when it likes: the mean rate, and the times, (n,) s.

    Raises:
        KdEdgeError KD_BAD_FORMAT: fewer than two times, times that go back, are all equal, or
            cannot be seconds.
    """
    times_s = np.asarray(times_s, dtype=np.float64)
    if len(times_s) < 2:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            "fewer than two times: no rate can be read from them",
            where=where,
            hint="export without this device, or record for longer",
        )
    _must_be_times(times_s, where)
    rate_hz = (len(times_s) - 1) / float(times_s[-1] - times_s[0])
    return Timing(rate_hz, float(times_s[0]), times_s, ())


def snap_to_trigno(rate_hz: float, tolerance: float) -> float:
    """The Trigno rate within a relative `tolerance` of `rate_hz`, or `rate_hz` itself."""
    samples = round(rate_hz * TRIGNO_FRAME_S)
    snapped = samples / TRIGNO_FRAME_S
    return snapped if samples and abs(snapped - rate_hz) <= tolerance * rate_hz else rate_hz


def _must_be_times(times_s: np.ndarray, where: str) -> None:
    back = np.flatnonzero(np.diff(times_s) < 0)
    if len(back) or times_s[-1] <= times_s[0]:
        at = int(back[0]) + 1 if len(back) else len(times_s) - 1
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"times must increase; {times_s[at]:g} s follows {times_s[at - 1]:g} s",
            where=f"{where}, sample {at + 1}",
            hint="sort the rows by time, or export the file again",
        )
    late = np.abs(times_s[[0, -1]]).max() >= LATEST_S
    # As a Python number, whose division by next to nothing gives infinity without a warning.
    if late or not is_rate((len(times_s) - 1) / float(times_s[-1] - times_s[0])):
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"times from {times_s[0]:g} s to {times_s[-1]:g} s for {len(times_s)} samples "
            "are no seconds",
            where=where,
            hint="say the unit in the column's title, such as 'time (ms)', "
            f"one of {', '.join(_TIME_UNITS)}",
        )


def _resolution(times_s: np.ndarray, digits: int | None) -> float:
    largest = max(abs(float(times_s[0])), abs(float(times_s[-1])))
    if digits is None or largest == 0:
        return 0.0
    return 10.0 ** (np.floor(np.log10(largest)) + 1 - digits)


def _period(steps: np.ndarray, mean: float, resolution: float, tick: float) -> float:
    """Seconds a sample: the mean step, unless long steps (gaps) pull it away from the usual one."""
    usual = float(np.median(steps))
    if tick >= 0.1 * mean:  # 0, 1, 1, 2 ms: the usual step is a rounded one, and may be 0
        rough = float(steps[steps <= 1.5 * (usual + tick)].mean())
        near = steps[steps <= max(1.5 * rough, rough + 0.99 * tick)]
        return float(near.mean()) or mean
    if usual > 0 and abs(mean - usual) > RATE_TOLERANCE * usual + resolution:
        near = steps[np.abs(steps - usual) <= 0.5 * usual + resolution]
        return float(near.mean())
    return mean
