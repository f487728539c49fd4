"""What pages of `live` are told: signals, windows, figures."""

from __future__ import annotations

import secrets
import time
from collections import deque
from typing import Any

from kd_edge.link.messages import Samples
from kd_edge.live.broadcast import Broadcast, message
from kd_edge.live.facts import Facts
from kd_edge.live.figures import Figures, Seen
from kd_edge.live.loop import Summary
from kd_edge.live.trace import Stretch, Trace

KEPT_S = 12.0  # of signals, for a page that comes later
_HISTORY = 400  # windows
_BATCH_S = 0.04


class Feed(Broadcast):
    """A view whose watchers come and go; its methods may be called from any thread."""

    def __init__(self, facts: Facts):
        super().__init__()
        self._run = secrets.token_hex(4)  # pages clear their picture when it changes
        self._traces = tuple(
            Trace(sensor.rate_hz, len(sensor.channels), seconds=KEPT_S) for sensor in facts.sensors
        )
        self._start = facts.to_json() | {
            "run": self._run,
            "points_s": [
                trace.size / sensor.rate_hz
                for trace, sensor in zip(self._traces, facts.sensors, strict=True)
            ],
        }
        self._history: deque[dict[str, Any]] = deque(maxlen=_HISTORY)
        self._figures: dict[str, Any] | None = None
        self._batch: dict[int, list[Stretch]] = {}
        self._sent_s = 0.0

    def samples(self, samples: Samples) -> None:
        with self._lock:
            done = self._traces[samples.stream].add(samples.first, samples.values)
            self._batch.setdefault(samples.stream, []).extend(done)
            if time.monotonic() - self._sent_s >= _BATCH_S:
                self._flush()

    def window(self, seen: Seen, figures: Figures) -> None:
        with self._lock:
            self._flush()
            self._history.append(seen.to_json())
            self._figures = figures.to_json()
            self._send(message("window", {"window": self._history[-1], "figures": self._figures}))

    def end(self, summary: Summary) -> None:
        with self._lock:
            self._flush()
            self._send_end(message("end", summary.to_json()))

    def _snapshot(self) -> list[str]:
        self._flush()
        kept = {stream: list(trace.kept) for stream, trace in enumerate(self._traces)}
        history = {"windows": list(self._history), "figures": self._figures}
        return [
            message("start", self._start),
            message("samples", _points(kept)),
            message("history", history),
        ]

    def _flush(self) -> None:
        self._sent_s = time.monotonic()
        if any(self._batch.values()):
            self._send(message("samples", _points(self._batch)))
        self._batch = {}


def _points(stretches: dict[int, list[Stretch]]) -> dict[int, list]:
    """Per sensor a flat list for each stretch: its number, every channel's low, then every high."""
    return {
        stream: [[s.number, *s.low, *s.high] for s in found]
        for stream, found in stretches.items()
        if found
    }
