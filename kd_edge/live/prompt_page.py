"""A prompted recording on a page of this machine: the screen that pages watch, and their keys."""

from __future__ import annotations

import base64
import io
import queue
import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from kd_edge.live.broadcast import Broadcast, message
from kd_edge.live.prompted import PAUSE, QUIT, SKIP, UNDO, Progress
from kd_edge.live.prompts import Prompt
from kd_edge.report.html import page_template

_KEYS = (UNDO, SKIP, PAUSE, QUIT)
_BEAT_S = 0.5  # a phase's time goes out so often; the page counts between
_TOLD = 6
_LARGEST = (800, 600)  # pixels of a picture on the page
_MOST_KEYS = 8


def prompt_page(title: str) -> str:
    """The page of `kd-edge record`."""
    return page_template("record.html.j2", "kd_edge.live").render(title=title)


class PromptPage(Broadcast):
    """A `Screen` whose watchers come and go.

    Args:
        clock: seconds; of how often a phase's time goes out.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic):
        super().__init__()
        self._clock = clock
        self._state: dict[str, Any] = {}
        self._picture: dict[str, Any] = {"picture": None}
        self._told: deque[str] = deque(maxlen=_TOLD)
        self._sent_s = float("-inf")
        self._pressed: queue.Queue[str] = queue.Queue(_MOST_KEYS)

    def show(self, phase: str, prompt: Prompt | None, left_s: float, progress: Progress) -> None:
        now_s = self._clock()
        state = {
            "phase": phase, "label": "" if prompt is None else prompt.label,
            "repetition": None if prompt is None else prompt.repetition,
            "kept": progress.kept, "wanted": progress.wanted, "words": progress.words,
            "unfit": progress.unfit, "undone": progress.undone,
        }  # fmt: skip
        changed = any(self._state.get(key) != value for key, value in state.items())
        if not changed and now_s - self._sent_s < _BEAT_S:
            return
        picture = _picture(prompt.picture) if prompt is not None and prompt.picture else None
        with self._lock:
            self._sent_s = now_s
            self._state = state | {"left_s": left_s}
            if picture != self._picture["picture"]:
                self._picture = {"picture": picture}
                self._send(message("picture", self._picture))
            self._send(message("state", self._state))

    def tell(self, what: str) -> None:
        with self._lock:
            self._told.append(what)
            self._send(message("told", list(self._told)))

    def key(self) -> str | None:
        try:
            return self._pressed.get_nowait()
        except queue.Empty:
            return None

    def press(self, key: str) -> None:
        """A page's key; one that there is not, and one too many, is left out."""
        if key in _KEYS and not self._pressed.full():
            self._pressed.put(key)

    def end(self, why: str) -> None:
        """The session is over; the page says why."""
        with self._lock:
            self._send_end(message("end", {"why": why}))

    def _snapshot(self) -> list[str]:
        kept = [message("picture", self._picture), message("told", list(self._told))]
        return [*kept, message("state", self._state)] if self._state else kept


@lru_cache(maxsize=64)
def _picture(path: Path) -> str:
    """A picture as the page shows it: decoded here, made small, and as a data URL."""
    from PIL import Image, ImageOps

    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGBA")
    image.thumbnail(_LARGEST)
    data = io.BytesIO()
    image.save(data, "PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"
