"""Corrections while a student runs: a key says what was meant, and that becomes labelled data."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.link.messages import Samples
from kd_edge.live.facts import Facts
from kd_edge.live.figures import Figures, Seen
from kd_edge.live.loop import Summary
from kd_edge.live.recorder import Recorder

NOTHING = "x"
RIGHT = "y"
# Keys of the classes, in their order.
KEYS = "123456789abcdefghijklmnopqrstuvw"
_REST = "rest"
_SLACK_S = 3.0  # a key comes so much later than what it is about


class Corrections:
    """A view: keys label the last onset's window, whose samples are then kept.

    A class's own key says what was meant, `RIGHT` that the student was right, `NOTHING` that
    nothing was performed: that was a false alarm. Its window is kept if there is a class 'rest'.

    Args:
        folder: gets the recordings and their labels.csv.
        key: what gives the key that was pressed, or ''.
        tell: what happened, in a line.

    Attributes:
        false_alarms, corrected, confirmed: onsets so far that were told to be so.

    Raises:
        KdEdgeError KD_USAGE: nothing decides when a sign begins, or there are too few keys.
    """

    def __init__(
        self,
        facts: Facts,
        folder: Path,
        *,
        subject: str,
        session: str,
        key: Callable[[], str],
        tell: Callable[[str], None],
    ):
        if not facts.decides or len(facts.classes) > len(KEYS):
            raise KdEdgeError(
                "KD_USAGE",
                f"corrections are of onsets, and of at most {len(KEYS)} classes",
                where="--correct",
                hint="add [decision] to the recipe and build again",
            )
        self.false_alarms = self.corrected = self.confirmed = 0
        self._facts, self._folder, self._key, self._tell = facts, folder, key, tell
        self._who = {"subject": subject, "session": session}
        self._kept: list[deque[Samples]] = [deque() for _ in facts.sensors]
        self._onset: Seen | None = None
        self._named = dict(zip(KEYS, facts.classes, strict=False))
        self._rest = next((name for name in facts.classes if name.lower() == _REST), None)
        self._number = 0
        tell(f"{RIGHT} right   {NOTHING} nothing was performed")
        tell("   ".join(f"{key} {name}" for key, name in self._named.items()))

    def samples(self, samples: Samples) -> None:
        sensor, kept = self._facts.sensors[samples.stream], self._kept[samples.stream]
        kept.append(samples)
        oldest = samples.first - (sensor.window_s + _SLACK_S) * sensor.rate_hz
        while kept and kept[0].first + len(kept[0].values) < oldest and not self._needs(kept[0]):
            kept.popleft()
        if pressed := self._key():
            self._obey(pressed)

    def window(self, seen: Seen, figures: Figures) -> None:
        if seen.decision is not None and seen.decision.onset:
            self._onset = seen

    def end(self, summary: Summary) -> None:
        """Says how it went; a rate needs some time."""
        minutes = summary.figures.seconds / 60
        rate = f", {self.false_alarms / minutes:.2f} a minute" if minutes > 0 else ""
        self._tell(
            f"false alarms {self.false_alarms}{rate}; corrected {self.corrected}, confirmed "
            f"{self.confirmed}"
        )

    def _needs(self, samples: Samples) -> bool:
        """Whether the last onset's window, for which a key may still come, begins so early."""
        if self._onset is None:
            return False
        sensor = self._facts.sensors[samples.stream]
        until_s = self._onset.at_s + _SLACK_S
        newest = self._kept[samples.stream][-1]
        late = newest.first > until_s * sensor.rate_hz
        return not late and samples.first + len(samples.values) > self._begin(samples.stream)

    def _begin(self, stream: int) -> int:
        sensor = self._facts.sensors[stream]
        return max(0, round((self._onset.at_s - sensor.window_s) * sensor.rate_hz))

    def _obey(self, pressed: str) -> None:
        if pressed not in (RIGHT, NOTHING, *self._named):
            return
        if self._onset is None:
            self._tell("no onset to correct")
            return
        said = self._onset.decision.said
        meant = {RIGHT: said, NOTHING: self._rest, **self._named}[pressed]
        if meant is not None:
            self._keep(meant)
        if pressed == NOTHING:
            self.false_alarms += 1
        elif meant == said:
            self.confirmed += 1
        else:
            self.corrected += 1
        kept = f"kept as {meant}" if meant else "counted as a false alarm"
        self._tell(f"{self._onset.at_s:8.2f} s  {said}: {kept}")
        self._onset = None

    def _keep(self, label: str) -> None:
        """The samples of the onset's window as a recording. Raises KD_OUTPUT as `Recorder`."""
        self._number += 1
        stem = f"{time.strftime('%Y%m%d-%H%M%S')}-corrected-{self._number:04d}"
        recorder = Recorder(self._folder, self._facts, label=label, stem=stem, **self._who)
        for stream, (sensor, kept) in enumerate(zip(self._facts.sensors, self._kept, strict=True)):
            begin = self._begin(stream)
            end = begin + sensor.samples
            for part in kept:
                a, b = max(begin - part.first, 0), min(end - part.first, len(part.values))
                if a < b:
                    cut = Samples(stream, part.first + a, part.stamp_us, part.values[a:b])
                    recorder.take(cut)
        recorder.finish()
