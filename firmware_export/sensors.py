"""How a board streams its sensors: rings, hops, and windows that emulated sensors play."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from firmware_export import c_text
from firmware_export.front_end import SIGNAL_BLOCK
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import (
    Counts,
    FrontEndConstants,
    StreamConstants,
    layout_samples,
    raw_samples,
)
from kd_edge.base.protocol import BY_NAME, DEFAULT_PAYLOAD
from kd_edge.base.wire import fixed_bytes

# Windows overlap so much where nobody says otherwise.
_HOPS_A_WINDOW = 4
# Samples are counted in 32 bits; differences of counts are signed.
_MOST_SAMPLES = 2**31


@dataclass(frozen=True)
class StreamSettings:
    """Times of a stream.

    Attributes:
        hop_s: from window to window; longer than the board takes for one.
        keeps: the network keeps what it has computed of one window for the next; filters run on,
            and the hop is the nearest of whole steps.
        frame_s: of samples that go into one frame.
        slack_s: of samples that a ring holds beside a window.
        fifo_s: of samples that a replayed sensor keeps for the firmware.
    """

    hop_s: float
    frame_s: float = 0.05
    slack_s: float = 0.25
    fifo_s: float = 1.0
    keeps: bool = False


@dataclass(frozen=True)
class StreamPlan:
    """One sensor as the C sources have it; see kd_firmware_config.h."""

    comment: str
    channels: int
    capacity: int
    hop_q24: int
    period_q20_us: int
    chunk: int
    steps: int


@dataclass(frozen=True)
class ReplayStream:
    """One sensor's samples as the C sources have them; see kd_replay.h."""

    rows: str
    samples: int
    channels: int
    rate_uhz: int
    fifo_samples: int


def usual_hop_s(front_end: FrontEndConstants) -> float:
    """Seconds from window to window where nobody says otherwise: a quarter of the longest."""
    samples = raw_samples(front_end)
    longest = max(samples[s.name] / s.source_rate_hz for s in front_end.streams)
    return longest / _HOPS_A_WINDOW


def stream_plans(front_end: FrontEndConstants, settings: StreamSettings) -> tuple[StreamPlan, ...]:
    """A plan a stream, in the order of a raw window.

    Raises:
        KdEdgeError KD_USAGE: a hop is below one sample, or one step if filters run on, or more than
            a stream counts.
    """
    samples = raw_samples(front_end)
    # Windows start together; a sensor whose own is short waits for the longest to end.
    longest_s = max(samples[s.name] / s.source_rate_hz for s in front_end.streams)
    hop_rates = step_rates(front_end) if front_end.runs_on else {}
    steps = {name: layout_samples(i) for i in front_end.inputs for name in i.streams}
    plans = []
    for stream in front_end.streams:
        rate_hz = stream.source_rate_hz
        hop = _hop(stream, settings, hop_rates.get(stream.name))
        chunk = _chunk(settings.frame_s * rate_hz, len(stream.channels))
        held_s, waiting = longest_s, 0
        if front_end.runs_on:
            # A ring keeps what waits: for other sensors, for a frame, for the front end's block.
            held_s = longest_s - samples[stream.name] / rate_hz
            waiting = max(chunk, SIGNAL_BLOCK)
        what = "steps" if front_end.runs_on else "samples"
        plans.append(
            StreamPlan(
                comment=c_text.comment(f"{stream.name}, every {hop:.6g} {what}"),
                channels=len(stream.channels),
                capacity=ceil((held_s + settings.slack_s) * rate_hz) + waiting + 1,
                hop_q24=round(hop * 2**24),
                period_q20_us=round(1e6 / rate_hz * 2**20),
                chunk=chunk,
                steps=steps[stream.name],
            )
        )
    return tuple(plans)


def _hop(stream: StreamConstants, settings: StreamSettings, step_hz: float | None) -> float:
    """Samples from window to window, or steps where there are `step_hz` of them a second."""
    rate_hz = stream.source_rate_hz
    hop_hz, what = (rate_hz, "sample") if step_hz is None else (step_hz, "step")
    if settings.hop_s * hop_hz < 1:
        raise KdEdgeError(
            "KD_USAGE",
            f"a hop of {settings.hop_s:g} s is less than one {what} of '{stream.name}'",
            hint=f"name {1 / hop_hz:.3g} s or more",
        )
    if not settings.hop_s * rate_hz < _MOST_SAMPLES:
        raise KdEdgeError(
            "KD_USAGE",
            f"a hop of {settings.hop_s:g} s has too many samples of '{stream.name}' to count",
            hint=f"name less than {_MOST_SAMPLES / rate_hz:.3g} s",
        )
    return round(settings.hop_s * hop_hz) if settings.keeps else settings.hop_s * hop_hz


def step_rates(front_end: FrontEndConstants) -> dict[str, float]:
    """Steps a second of each stream: the same for those of one input, whose steps stand in rows."""
    own = {stream.name: stream.rate_hz for stream in front_end.streams}
    rates: dict[str, float] = {}
    for layout in front_end.inputs:
        known = next((rates[name] for name in layout.streams if name in rates), None)
        for name in layout.streams:
            rates.setdefault(name, known or own[layout.streams[0]])
    return rates


def _chunk(samples: float, channels: int) -> int:
    """Samples of a frame: at least one, at most what fits."""
    fitting = (DEFAULT_PAYLOAD - fixed_bytes(BY_NAME["SAMPLES"])) // (2 * channels)
    return max(min(round(samples), fitting), 1)


def window_ends(plan: StreamPlan, n_samples: int, window: int) -> int:
    """The number after the last sample of a window, as the board counts."""
    return (plan.hop_q24 * window >> 24) + n_samples


def step_window_ends(plan: StreamPlan, stream: StreamConstants, window: int) -> int:
    """The same if filters run on: the window's last step is due with its last sample."""
    last = (plan.hop_q24 * window >> 24) + plan.steps - 1
    return last * stream.down // stream.up + 1


def replay_values(
    front_end: FrontEndConstants, windows: Sequence[Counts], settings: StreamSettings
) -> tuple[ReplayStream, ...]:
    """The windows one after the other, a stream each: (samples, channels) int16 counts of each."""
    streams = []
    for stream in front_end.streams:
        counts = np.concatenate([window[stream.name] for window in windows])
        streams.append(
            ReplayStream(
                rows=c_text.rows(str(value) for value in counts.reshape(-1).tolist()),
                samples=len(counts),
                channels=counts.shape[1],
                rate_uhz=round(stream.source_rate_hz * 1e6),
                fifo_samples=ceil(settings.fifo_s * stream.source_rate_hz),
            )
        )
    return tuple(streams)
