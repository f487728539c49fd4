"""What pages are told: a snapshot when they come, then everything as it happens."""

from __future__ import annotations

import contextlib
import json
import queue
import secrets
import threading
import time
from collections import deque
from typing import Any

from kd_edge.link.messages import Samples
from kd_edge.live.facts import Facts
from kd_edge.live.figures import Figures, Seen
from kd_edge.live.loop import Summary
from kd_edge.live.trace import Stretch, Trace

KEPT_S = 12.0  # of signals, for a page that comes later
_HISTORY = 400  # windows
_WAITING = 1000  # messages that a page may lag behind
_BATCH_S = 0.04


class Subscription:
    """One page's messages. `get` waits for the next one."""

    def __init__(self, first: list[str]):
        self._first = deque(first)
        self._queue: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._left = False

    def get(self, timeout: float) -> str | None:
        """The next message; "" where none has come in time, None where none will come any more."""
        if self._first:
            return self._first.popleft()
        if self._left and self._queue.empty():
            return None
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            return ""

    def put(self, message: str) -> bool:
        """Returns False where the page is too slow; it is told no more then, and comes again."""
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self.leave()
            return False
        return True

    def leave(self) -> None:
        """Nothing more is put."""
        self._left = True
        # Where it is full, the watcher reads what waits and then sees that it was left.
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)


class Feed:
    """A view whose watchers come and go; its methods may be called from any thread."""

    def __init__(self, facts: Facts):
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
        self._end: str | None = None
        self._batch: dict[int, list[Stretch]] = {}
        self._sent_s = 0.0
        self._watchers: set[Subscription] = set()
        self._lock = threading.Lock()
        self._gone = threading.Condition(self._lock)

    def subscribe(self) -> Subscription:
        """A new watcher, which first gets what is kept."""
        with self._lock:
            self._flush()
            kept = {stream: list(trace.kept) for stream, trace in enumerate(self._traces)}
            first = [_message("start", self._start), _message("samples", _points(kept))]
            first.append(
                _message("history", {"windows": list(self._history), "figures": self._figures})
            )
            if self._end is not None:
                first.append(self._end)
            watcher = Subscription(first)
            if self._end is None:
                self._watchers.add(watcher)
            else:
                watcher.leave()
            return watcher

    def unsubscribe(self, watcher: Subscription) -> None:
        with self._gone:
            self._watchers.discard(watcher)
            self._gone.notify_all()

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
            self._send(_message("window", {"window": self._history[-1], "figures": self._figures}))

    def end(self, summary: Summary) -> None:
        with self._lock:
            self._flush()
            self._end = _message("end", summary.to_json())
            self._send(self._end)
            for watcher in self._watchers:
                watcher.leave()

    def wait_until_read(self, timeout: float) -> None:
        """Waits until every watcher has gone, which they do after the end; not before it."""
        with self._gone:
            self._gone.wait_for(lambda: self._end is None or not self._watchers, timeout)

    def _flush(self) -> None:
        self._sent_s = time.monotonic()
        if any(self._batch.values()):
            self._send(_message("samples", _points(self._batch)))
        self._batch = {}

    def _send(self, message: str) -> None:
        self._watchers = {watcher for watcher in self._watchers if watcher.put(message)}


def _points(stretches: dict[int, list[Stretch]]) -> dict[int, list]:
    """Per sensor a flat list for each stretch: its number, every channel's low, then every high."""
    return {
        stream: [[s.number, *s.low, *s.high] for s in found]
        for stream, found in stretches.items()
        if found
    }


def _message(event: str, content: Any) -> str:
    """A Server-Sent Event."""
    return f"event: {event}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n"
