"""What a long command tells its caller while it works."""

from __future__ import annotations


class Watch:
    """Takes progress and says nothing; the command line overrides what it shows."""

    def stage(self, name: str, cached: bool) -> None:
        """A stage begins, or is skipped because nothing that it reads has changed."""

    def step(self, what: str, done: int | None, total: int | None) -> None:
        """Progress within a stage; None where it cannot be counted."""

    def epoch(self, progress) -> None:
        """An epoch ended; `progress` is a `kd_edge.distill.trainer.EpochProgress`."""

    def note(self, text: str) -> None:
        """Something that the user should read; threads that watch a build's workers tell too."""
