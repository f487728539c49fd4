"""Progress on the terminal, on standard error; plain lines where it is no terminal."""

from __future__ import annotations

import time

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from kd_edge.cli.printing import console
from kd_edge.pipeline.watch import Watch

# Seconds between two epoch lines where lines stay (a log file).
LINE_INTERVAL_S = 10.0


class TerminalWatch(Watch):
    """One live bar for the work at hand, and a line for each stage."""

    def __init__(self):
        self._console = console(stderr=True)
        self._live = self._console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._live,
        )
        self._task = self._bar.add_task("", total=None, detail="", visible=False)
        self._what = ""
        self._last_line_s = 0.0

    def __enter__(self) -> TerminalWatch:
        self._bar.start()
        return self

    def __exit__(self, *exception) -> None:
        self._bar.stop()

    def stage(self, name: str, cached: bool) -> None:
        self._console.print(
            f"{'kept' if cached else 'work'}  {name}", highlight=False, soft_wrap=True
        )
        self._bar.update(self._task, visible=False)
        self._last_line_s = 0.0

    def step(self, what: str, done: int | None, total: int | None) -> None:
        if what != self._what:
            self._what = what
            if not self._live:
                self._console.print(f"      {what}", highlight=False, soft_wrap=True)
        detail = "" if done is None else f"{done}/{total}"
        self._bar.update(
            self._task,
            description=what,
            completed=done or 0,
            total=total,
            detail=detail,
            visible=True,
        )

    def epoch(self, progress) -> None:
        validation = progress.validation_accuracy
        held_out = "" if validation is None else f", validation {100 * validation:.1f} %"
        left = progress.seconds_left
        left = "" if left is None else f", {_clock(left)} left"
        detail = (
            f"epoch {progress.epoch}/{progress.epochs}  loss {progress.loss:.3f}  accuracy "
            f"{100 * progress.accuracy:.1f} %{held_out}  {progress.seconds:.1f} s an epoch{left}"
        )
        self._bar.update(
            self._task,
            description=progress.model,
            completed=progress.epoch,
            total=progress.epochs,
            detail=detail,
            visible=True,
        )
        due = time.monotonic() - self._last_line_s >= LINE_INTERVAL_S
        if not self._live and (due or progress.epoch == progress.epochs):
            self._last_line_s = time.monotonic()
            self._console.print(
                f"      {progress.model}  {detail}", highlight=False, soft_wrap=True
            )

    def note(self, text: str) -> None:
        self._console.print(f"note  {text}", highlight=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"
