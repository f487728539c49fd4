"""What a live run leads to, as streams of the Lab Streaming Layer for other programs."""

from __future__ import annotations

from kd_edge.base.errors import require
from kd_edge.link.messages import Samples
from kd_edge.live.facts import Facts
from kd_edge.live.figures import Figures, Seen
from kd_edge.live.loop import Summary


class LslOut:
    """A view: `NAME scores` has a share a class for each window, `NAME events` says what begins.

    Events are onsets where a decision rule decides, and else each window's best class. Stamps are
    of the window's last sample if this machine's clock took it, and else of the answer.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE: pylsl is not installed.
    """

    def __init__(self, name: str, facts: Facts):
        self._pylsl = require("pylsl", extra="live", purpose="--lsl-out")
        self._decides = facts.decides
        source = f"kd-edge {name} {facts.model_sha256[:16]}"
        n = len(facts.classes)
        scores = self._pylsl.StreamInfo(
            f"{name} scores", "Scores", n, 0.0, "float32", f"{source} scores"
        )
        channels = scores.desc().append_child("channels")
        for label in facts.classes:
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", "share")
        events = self._pylsl.StreamInfo(
            f"{name} events", "Markers", 1, 0.0, "string", f"{source} events"
        )
        self._scores = self._pylsl.StreamOutlet(scores)
        self._events = self._pylsl.StreamOutlet(events)

    def samples(self, samples: Samples) -> None:
        """Not said: the sensors' own program streams them."""

    def window(self, seen: Seen, figures: Figures) -> None:
        stamp = self._pylsl.local_clock() - (seen.delay_ms or 0.0) / 1e3
        self._scores.push_sample([float(share) for share in seen.shares], stamp)
        if not self._decides:
            self._events.push_sample([seen.name], stamp)
        elif seen.decision is not None and seen.decision.onset:
            self._events.push_sample([seen.decision.said], stamp)

    def end(self, summary: Summary) -> None:
        """Outlets end with the process that holds them."""
