"""A recording whose signs are named by markers from outside, instead of by prompts."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence

from kd_edge.base.errors import KdEdgeError
from kd_edge.live.prompted import GRACE_S, PAUSE, QUIT, UNDO, Asked, QuitError, Screen, Session
from kd_edge.live.prompts import Prompt, is_label
from kd_edge.live.sources.lsl_markers import Marker, Markers
from kd_edge.live.sources.source import Chunk, Source
from kd_edge.live.taking import Take

# A marker may come so much later than the samples of its moment.
_LATE_S = 5.0


class MarkedSession(Session):
    """Records from each marker on, for as long as a sign is performed; judges and keeps it.

    Args:
        markers: open. asked: if it has prompts, their signs alone are taken, so often.
        others: as of `Session`.
    """

    def __init__(
        self,
        source: Source,
        asked: Asked,
        screen: Screen,
        markers: Markers,
        *,
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__(source, asked, screen, clock=clock)
        self._markers = markers
        self._waiting: deque[Marker] = deque()
        self._recent: deque[Chunk] = deque()
        self._from_s = 0.0  # samples from then on are in `_recent`
        self._running: tuple[Prompt, Take] | None = None

    @property
    def _wanted(self) -> Counter[str]:
        """Sign -> repetitions that are still asked for."""
        asked = Counter(prompt.label for prompt in self._asked.prompts)
        return asked - Counter(prompt.label for prompt, _ in self._kept)

    def _go(self) -> str:
        self._from_s = self._clock()
        try:
            while not self._asked.prompts or self._wanted:
                if self._markers.ended and not (self._waiting or self._running):
                    return self._markers.ended
                self._step()
        except KdEdgeError:
            self._leave()
            raise
        except BaseException:
            if self._running is not None:
                self._running[1].discard()
            raise
        return "all recorded"

    def _step(self) -> None:
        """What has come: samples to the take that runs, markers into their queue."""
        prompt, take = self._running or (None, None)
        left_s = 0.0 if take is None else max(0.0, take.end_s - self._clock())
        self._screen.show("wait" if take is None else "perform", prompt, left_s, self._progress())
        self._take_in(self._poll())
        self._waiting += self._markers.poll()
        if self._running is None and self._waiting:
            self._begin(self._waiting.popleft())
        if self._running is not None:
            self._end_if_due()
        self._obey(self._screen.key())

    def _take_in(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            self._recent.append(chunk)
            if self._running is not None:
                self._running[1].add(chunk)
        while self._recent and self._recent[0].taken_s < self._recent[-1].taken_s - _LATE_S:
            self._from_s = max(self._from_s, self._recent.popleft().taken_s)

    def _begin(self, marker: Marker) -> None:
        label = marker.text.strip()
        if not is_label(label):
            self._screen.tell(f"the marker {label[:40]!r} is no name of a sign")
        elif self._asked.prompts and label not in self._wanted:
            self._screen.tell(f"the marker '{label}' is not asked for, or no more")
        elif marker.at_s < self._from_s:
            late_s = self._from_s - marker.at_s
            self._screen.tell(f"the marker '{label}' came {late_s:.1f} s too late for its samples")
        else:
            take = self._take(label, marker.at_s, marker.at_s + self._asked.timing.perform_s)
            self._running = (Prompt(label, 1), take)
            for chunk in self._recent:
                take.add(chunk)

    def _end_if_due(self) -> None:
        prompt, take = self._running
        if self._waiting and self._waiting[0].at_s < take.end_s:
            later = self._waiting[0]
            self._screen.tell(
                f"'{prompt.label}' is not kept: '{later.text[:40]}' came "
                f"{later.at_s - take.begin_s:.1f} s after it, and --seconds is "
                f"{self._asked.timing.perform_s:g}"
            )
            self._running = None
            take.discard()
        elif take.whole or self._clock() >= take.end_s + GRACE_S:
            self._running = None
            self._keep_if_fit(prompt, take)

    def _obey(self, key: str | None) -> None:
        if key == QUIT:
            raise QuitError
        if key == UNDO and self._running is None:
            self._undo()
        if key == PAUSE and self._running is None:
            self._pause()
            self._recent.clear()
            self._from_s = self._clock()
            self._markers.poll()  # what was said meanwhile is not recorded

    def _leave(self) -> None:
        """A take that an error cuts stays on the disk, unfinished."""
        if self._running is not None:
            part = self._running[1].abandon()
            self._screen.tell(f"what came of it is kept: kd-edge live --recover {part}")
