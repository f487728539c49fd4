"""What pages are told: a snapshot when they come, then everything as it happens."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections import deque
from typing import Any

_WAITING = 1000  # messages that a page may lag behind


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


class Broadcast:
    """Watchers come and go; methods may be called from any thread.

    Whoever is one says what a new watcher gets first (`_snapshot`), and holds `_lock` while it
    calls a method that begins with '_'.
    """

    def __init__(self):
        self._end: str | None = None
        self._watchers: set[Subscription] = set()
        self._lock = threading.Lock()
        self._gone = threading.Condition(self._lock)

    def subscribe(self) -> Subscription:
        """A new watcher, which first gets what is kept."""
        with self._lock:
            first = self._snapshot()
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

    def wait_until_read(self, timeout: float) -> None:
        """Waits until every watcher has gone, which they do after the end; not before it."""
        with self._gone:
            self._gone.wait_for(lambda: self._end is None or not self._watchers, timeout)

    def _snapshot(self) -> list[str]:
        raise NotImplementedError

    def _send(self, text: str) -> None:
        self._watchers = {watcher for watcher in self._watchers if watcher.put(text)}

    def _send_end(self, text: str) -> None:
        """The last message; whoever comes later gets it too."""
        self._end = text
        self._send(text)
        for watcher in self._watchers:
            watcher.leave()


def message(event: str, content: Any) -> str:
    """A Server-Sent Event."""
    return f"event: {event}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n"
