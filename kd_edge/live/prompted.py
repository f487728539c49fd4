"""A prompted recording: what is asked for, when, and what becomes of it."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kd_edge.base.errors import KdEdgeError
from kd_edge.live import labels
from kd_edge.live.order import order_faults
from kd_edge.live.prompts import Prompt
from kd_edge.live.quality import Fault, faults_of
from kd_edge.live.recorder import Recorded
from kd_edge.live.sources.source import Source
from kd_edge.live.taking import Take, new_take, sensors_of
from kd_edge.signals.recording import Stream

_BEAT_S = 0.05
# A stream that lags behind is waited for so long after a take's end.
GRACE_S = 1.0
UNDO, SKIP, PAUSE, QUIT = "undo", "skip", "pause", "quit"
_LABEL_OF_REST = "rest"


@dataclass(frozen=True)
class Timing:
    """Seconds of each part of a prompt.

    Attributes:
        ready_s: the sign is shown. perform_s: it is performed and recorded. rest_s: nothing is.
    """

    ready_s: float = 2.0
    perform_s: float = 3.0
    rest_s: float = 1.5


@dataclass(frozen=True)
class Asked:
    """What a session is to be.

    Attributes:
        folder: gets the recordings and their labels.csv.
        keep_rest: the rests between are recorded too, as 'rest'.
        mains_hz: of the country's mains, for the judgement.
        tries: a take that is not fit is asked for again so often.
        anyway: takes are kept that are not fit.
        expected: streams of a reference, whose sensors and order the source should have.
    """

    folder: Path
    subject: str
    session: str
    prompts: tuple[Prompt, ...]
    timing: Timing
    keep_rest: bool = False
    mains_hz: float = 50.0
    tries: int = 3
    anyway: bool = False
    expected: tuple[Stream, ...] = ()


@dataclass(frozen=True)
class Progress:
    """Takes that are kept, of how many (None: as many as come); those not fit; rows undone."""

    kept: int
    wanted: int | None
    unfit: int
    undone: int

    @property
    def words(self) -> str:
        """'3 of 10', or '3'."""
        return str(self.kept) if self.wanted is None else f"{self.kept} of {self.wanted}"


class Screen(Protocol):
    """Where a session is shown, and whose keys it obeys."""

    def show(self, phase: str, prompt: Prompt | None, left_s: float, progress: Progress) -> None:
        """A phase goes on: 'look', 'ready', 'perform', 'rest', 'pause', or 'wait' for a marker."""

    def tell(self, what: str) -> None:
        """Something happened."""

    def key(self) -> str | None:
        """A key that was pressed: `UNDO`, `SKIP`, `PAUSE` or `QUIT`; None: none."""


class Screens:
    """Several screens as one: all show and tell, and any may press a key."""

    def __init__(self, screens: Sequence[Screen]):
        self._screens = tuple(screens)

    def show(self, phase: str, prompt: Prompt | None, left_s: float, progress: Progress) -> None:
        for screen in self._screens:
            screen.show(phase, prompt, left_s, progress)

    def tell(self, what: str) -> None:
        for screen in self._screens:
            screen.tell(what)

    def key(self) -> str | None:
        pressed = (screen.key() for screen in self._screens)
        return next((key for key in pressed if key is not None), None)


@dataclass(frozen=True)
class Done:
    """How a session ended; what was kept before stays, whatever ended it."""

    progress: Progress
    why: str
    error: KdEdgeError | None = None


class QuitError(Exception):
    """The user ends the session."""


class Session:
    """Asks for signs, records them, judges them.

    Args:
        source: open. clock: of its chunks' times.
    """

    def __init__(
        self,
        source: Source,
        asked: Asked,
        screen: Screen,
        *,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._source, self._asked, self._screen, self._clock = source, asked, screen, clock
        self._sensors = sensors_of(source.facts, asked.timing.perform_s)
        self._queue = deque(asked.prompts)
        self._kept: list[tuple[Prompt, Recorded]] = []
        self._tries: dict[Prompt, int] = {}
        self._unfit = self._undone = 0
        self._number = 0

    def look(self, seconds: float) -> tuple[Fault, ...]:
        """What is wrong with sensors and signals before anything is recorded."""
        now_s = self._clock()
        take = Take(self._source.facts, now_s, now_s + seconds)
        self._fill(take, "look", None)
        otherwise = order_faults(self._source.facts.streams, self._asked.expected)
        return (*otherwise, *self._faults(take))

    def run(self) -> Done:
        """Every prompt, until all are recorded, the user quits, or an error ends it."""
        error = None
        try:
            why = self._go()
        except (QuitError, KeyboardInterrupt):
            why = "ended by the user"
        except KdEdgeError as ended:
            why, error = f"ended by {ended.code}", ended
        return Done(self._progress(), why, error)

    def _go(self) -> str:
        """To the end; returns why it ended."""
        while self._queue:
            self._ask(self._queue[0])
        return "all recorded"

    def _ask(self, prompt: Prompt) -> None:
        """One prompt: it leaves the queue when it is kept, skipped, or hopeless."""
        timing, skipped = (
            self._asked.timing,
            self._wait("ready", prompt, self._asked.timing.ready_s),
        )
        if skipped or prompt is not self._queue[0]:
            return
        begin_s = self._clock()
        take = self._take(prompt.label, begin_s, begin_s + timing.perform_s)
        self._record(take, "perform", prompt)
        self._judge(prompt, take)
        self._rest()

    def _judge(self, prompt: Prompt, take: Take) -> None:
        self._queue.popleft()
        if self._keep_if_fit(prompt, take):
            return
        self._tries[prompt] = self._tries.get(prompt, 0) + 1
        if self._tries[prompt] < self._asked.tries:
            self._queue.append(prompt)
        else:
            self._screen.tell(f"'{prompt.label}' is left out after {self._asked.tries} tries")

    def _keep_if_fit(self, prompt: Prompt, take: Take) -> bool:
        """Keep a take, or say why not."""
        faults = self._faults(take)
        if not faults or self._asked.anyway:
            self._kept.append((prompt, take.keep()))
            return True
        take.discard()
        self._unfit += 1
        for fault in faults:
            self._screen.tell(f"not kept: {fault.channel}: {fault.what}; {fault.hint}")
        return False

    def _rest(self) -> None:
        rest_s = self._asked.timing.rest_s
        if not self._asked.keep_rest:
            self._wait("rest", None, rest_s)
            return
        begin_s = self._clock()
        take = self._take(_LABEL_OF_REST, begin_s, begin_s + rest_s)
        self._record(take, "rest", None)
        if self._faults(take):
            take.discard()
        else:
            take.keep()

    def _take(self, label: str, begin_s: float, end_s: float) -> Take:
        asked = self._asked
        self._number += 1
        who = {"label": label, "subject": asked.subject, "session": asked.session}
        stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{self._number:04d}-{_plain(label)}"
        return new_take(
            self._source.facts,
            asked.folder,
            (begin_s, end_s),
            stem=stem,
            who=who,
            sensors=self._sensors,
        )

    def _record(self, take: Take, phase: str, prompt: Prompt | None) -> None:
        """Fill a take; one that an error cuts stays on the disk, unfinished."""
        try:
            self._fill(take, phase, prompt)
        except KdEdgeError:
            part = take.abandon()
            self._screen.tell(f"what came of it is kept: kd-edge live --recover {part}")
            raise
        except BaseException:
            take.discard()
            raise

    def _faults(self, take: Take) -> tuple[Fault, ...]:
        return faults_of(take.stretches(), mains_hz=self._asked.mains_hz)

    def _fill(self, take: Take, phase: str, prompt: Prompt | None) -> None:
        """Until all of a take has come; a stream that has stopped is not waited for for ever."""
        while not take.whole and self._clock() < take.end_s + GRACE_S:
            left_s = max(0.0, take.end_s - self._clock())
            self._screen.show(phase, prompt, left_s, self._progress())
            for chunk in self._poll():
                take.add(chunk)

    def _wait(self, phase: str, prompt: Prompt | None, seconds: float) -> bool:
        """A phase in which nothing is kept; returns whether its prompt was skipped or undone."""
        end_s = self._clock() + seconds
        while (left_s := end_s - self._clock()) > 0:
            self._screen.show(phase, prompt, left_s, self._progress())
            self._poll()
            key = self._screen.key()
            if key == QUIT:
                raise QuitError
            if key == UNDO:
                return self._undo()
            if key == SKIP and prompt is not None:
                self._queue.append(self._queue.popleft())
                return True
            if key == PAUSE:
                self._pause()
                end_s = self._clock() + seconds
        return False

    def _pause(self) -> None:
        while True:
            self._screen.show("pause", None, 0.0, self._progress())
            self._poll()
            key = self._screen.key()
            if key == QUIT:
                raise QuitError
            if key == PAUSE:
                return

    def _undo(self) -> bool:
        """Take the last take back, and ask for it next."""
        if not self._kept:
            self._screen.tell("nothing to undo")
            return False
        prompt, recorded = self._kept.pop()
        labels.remove(recorded.path)
        recorded.path.unlink(missing_ok=True)
        self._undone += 1
        self._queue.appendleft(prompt)
        self._screen.tell(f"'{prompt.label}' is taken back")
        return True

    def _poll(self):
        chunks = self._source.poll(_BEAT_S)
        if self._source.ended:
            raise KdEdgeError(
                "KD_SOURCE_LOST",
                f"the source has ended: {self._source.ended}",
                where=self._source.facts.name,
                hint="what was kept stays; the same command goes on from there",
            )
        return chunks

    def _progress(self) -> Progress:
        wanted = len(self._asked.prompts) or None
        return Progress(len(self._kept), wanted, self._unfit, self._undone)


def _plain(label: str) -> str:
    """A label as a part of a file's name, on every system."""
    return re.sub(r"[^\w-]+", "_", label)[:40]


def names_of(faults: Sequence[Fault]) -> str:
    """Faults in one line."""
    return "; ".join(f"{fault.channel}: {fault.what}" for fault in faults)
