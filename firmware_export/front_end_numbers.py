"""A front end's numbers as C literals, float32 or integers, and whether they are precise enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from firmware_export import c_text
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.fixed import SQUARE_SHIFT, check_steps, fixed_stream, narrowing
from kd_edge.base.fixed_running import FixedCascadeRun, fixed_samples
from kd_edge.base.front_end import dc_gain, lsb_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kd_edge.base.fixed import FixedCascade
    from kd_edge.base.front_end import Biquads, StreamConstants
    from kd_edge.base.tensors import TensorSpec

# An answer further off is refused.
_MOST_STEPS_OFF = 0.5


def numbers_of(stream: StreamConstants, *, fixed: bool) -> dict[str, object]:
    """What kd_front_end.c says of a stream, but for its shape.

    Raises:
        KdEdgeError KD_COUNTS, KD_PRECISION: as `fixed_stream`.
    """
    if fixed:
        numbers = fixed_stream(stream)
        taps, floors = numbers.taps, numbers.log_floor
        filters, envelope = [_integers(numbers.filter)], _integers(numbers.envelope)
        means, scales, of = numbers.offset, numbers.scale, _integer_rows
    else:
        taps, floors = stream.fir[: len(stream.fir) // 2 + 1], stream.log_floor
        filters, envelope = list(map(_floats, stream.filters)), _floats(stream.envelope_sos)
        means, scales, of = stream.mean, stream.scale, c_text.float_rows
    return {
        "cascades": [
            *((f"biquads_{i}", own) for i, own in enumerate(filters)),
            ("envelope", envelope),
        ],
        # In the order of kd_stream.taps.
        "tap_rows": of([tap for phase in range(stream.up) for tap in taps[phase :: stream.up]]),
        "mean_rows": of(means),
        "scale_rows": of(scales),
        "log_floor_rows": of(floors) if floors else None,
        "running": _running(stream, fixed=fixed),
    }


def narrowing_of(stream: StreamConstants, tensor: TensorSpec, *, fixed: bool) -> str:
    """The fields of kd_narrowing, from a stream to an input."""
    if not fixed:
        return f"{c_text.float32(tensor.scale)}, {tensor.zero_point}"
    to = narrowing(stream, tensor.scale, tensor.zero_point)
    return f"{to.multiplier}, {to.shift}, {to.zero_point}"


def _integer_rows(values: Sequence[int]) -> str:
    return c_text.rows(str(value) for value in values)


def _floats(sections: Biquads) -> dict[str, object]:
    """Rows of (b0, b1, b2, 1, a1, a2) without the 1, and their gain for a constant."""
    return {
        "biquads": [
            ", ".join(c_text.float32(value) for value in (*section[:3], *section[4:]))
            for section in sections
        ],
        "gain": c_text.float32(dc_gain(sections)),
    }


def _integers(cascade: FixedCascade) -> dict[str, object]:
    return {
        "biquads": [", ".join(map(str, row)) for row in cascade.biquads],
        "gain": cascade.gain,
    }


def _running(stream: StreamConstants, *, fixed: bool) -> str | None:
    """The fields of kd_running."""
    if stream.running is None:
        return None
    floor = np.float32(stream.running.floor)
    fields = [
        str(stream.running.weight_windows),
        str(stream.running.memory_windows),
        c_text.float32(float(floor * floor)),
    ]
    if fixed:
        bits, root_bits = fixed_stream(stream).bits, fixed_stream(stream).root_bits
        powers = (-bits, -2 * (bits - SQUARE_SHIFT), bits, root_bits)
        fields += [*(c_text.float32(2.0**power) for power in powers), str(root_bits)]
    return ", ".join(fields)


def check_precision(stream: StreamConstants, samples: int, steps: int, *, fixed: bool) -> None:
    """Whether filters, fed noise that fills int8, stay within half a step of float64's.

    Args:
        samples, steps: of a window, before and after the front end.

    Raises:
        KdEdgeError KD_PRECISION: they do not. KD_COUNTS: as `fixed_stream`.
    """
    if fixed:
        check_steps(stream, steps)
        fixed_stream(stream)
    if not stream.sos and not stream.envelope_sos:
        return
    off = _steps_off_in_integers(stream, samples) if fixed else _steps_off(stream, samples)
    if off > _MOST_STEPS_OFF:
        raise KdEdgeError(
            "KD_PRECISION",
            f"a board's {'32-bit integers are' if fixed else 'float32 is'} too short for a filter "
            f"of '{stream.name}': its answers would be {off:.2g} int8 steps off",
            where=f"front_end.{stream.name}, sampled at {stream.source_rate_hz:g} Hz",
            hint="choose a higher edge frequency or a lower order",
        )


def _steps_off(stream: StreamConstants, samples: int) -> float:
    """Of float32, each cascade by itself."""
    noise, worst = np.random.default_rng(0).normal(size=samples), 0.0
    for sections in stream.filters:
        x, off = _exact_and_off(sections, noise)
        _, behind = _exact_and_off(stream.envelope_sos, np.abs(x))
        worst = max(worst, off, behind)
    return worst


def _exact_and_off(sections: Biquads, x: np.ndarray) -> tuple[np.ndarray, float]:
    """What biquads make of (samples,) float64, and by how many int8 steps float32 is off."""
    from scipy import signal

    if not sections:
        return x, 0.0
    # As kd_signal.c does: the difference to the first sample, from rest.
    exact = signal.sosfilt(np.array(sections), x - x[0])
    single = signal.sosfilt(np.float32(sections), np.float32(x - x[0]))
    return exact, 127 * np.abs(single - exact).max() / max(np.abs(exact).max(), 1e-30)


def _steps_off_in_integers(stream: StreamConstants, samples: int) -> float:
    """Of integers, whose last bit does not shrink with a signal: on noise as loud as training's."""
    noise = np.random.default_rng(0).normal(size=(samples, 1))
    loud = _filtered(stream, noise)
    level = np.mean(np.abs(loud - (0 if stream.rectify else loud.mean())))
    counts = np.rint(noise * np.clip(_quietest(stream) / max(level, 1e-30), 1, 8192))
    counts = np.clip(counts, -(2**15), 2**15 - 1)
    numbers = fixed_stream(stream)
    x = FixedCascadeRun(numbers.filter).advance(fixed_samples(counts))
    if stream.rectify:
        x = FixedCascadeRun(numbers.envelope).advance(np.abs(x))
    exact = _filtered(stream, counts)
    # Of counts; 14 bits behind the point enter.
    found = np.ldexp(x.astype(float), -14 - numbers.filter.bits - numbers.envelope.bits)
    if stream.log_floor:
        floor = min(stream.log_floor) / lsb_of(stream)
        exact, found = (np.log(np.maximum(y, 0) + floor) for y in (exact, found))
    return float(127 * np.abs(found - exact).max() / max(np.ptp(exact) / 2, 1e-30))


def _quietest(stream: StreamConstants) -> float:
    """How loud the quietest channel was in training, filtered, in counts."""
    if stream.log_floor:
        return float(np.exp(min(stream.mean))) / lsb_of(stream)
    if stream.rectify:
        return min(map(abs, stream.mean)) / lsb_of(stream)
    return 1 / (max(map(abs, stream.scale)) * lsb_of(stream))


def _filtered(stream: StreamConstants, x: np.ndarray) -> np.ndarray:
    from scipy import signal

    for sections, rectify in ((stream.sos, False), (stream.envelope_sos, stream.rectify)):
        x = np.abs(x) if rectify else x
        if sections:
            rest = signal.sosfilt(np.array(sections), x - x[0], axis=0)
            x = rest + dc_gain(sections) * x[0]
    return x
