"""A live run in the terminal: a moving picture, a line a window, or JSON."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.link.messages import Samples
from kd_edge.live.facts import Facts, Sensor
from kd_edge.live.figures import Figures, Seen
from kd_edge.live.loop import Summary
from kd_edge.live.trace import Stretch, Trace
from kd_edge.report.table import plain_text
from kd_edge.report.words import microseconds, percent, plural

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_BLOCKS = "▁▂▃▄▅▆▇█"
_SHOWN_S = 6.0
_WIDTH = 48  # characters of a signal
_LANES = 6  # channels shown of a sensor
_BARS = 5
_HISTORY = 6
_PERIOD_S = 0.1


class JsonLines:
    """A view: one object a line, each with its `event`."""

    def __init__(self, print_line: Callable[[str], None]):
        self._print = print_line

    def start(self, facts: Facts, **more: object) -> None:
        self._say("start", facts.to_json() | more)

    def samples(self, samples: Samples) -> None:
        """Not said: `--record` keeps them."""

    def window(self, seen: Seen, figures: Figures) -> None:
        self._say("window", seen.to_json() | {"figures": figures.to_json()})

    def end(self, summary: Summary) -> None:
        self._say("end", summary.to_json())

    def recorded(self, recorded) -> None:
        self._say("recorded", recorded.to_json())

    def _say(self, event: str, content: dict[str, object]) -> None:
        self._print(json.dumps({"event": event} | content, ensure_ascii=False))


class Lines:
    """A view: one line a window, for pipes and logs."""

    def __init__(self, facts: Facts, print_line: Callable[[str], None]):
        self._facts = facts
        self._print = print_line

    def samples(self, samples: Samples) -> None:
        """Not said."""

    def window(self, seen: Seen, figures: Figures) -> None:
        self._print(
            f"{seen.at_s:8.2f} s  window {seen.window}  {seen.name}  "
            f"{percent(seen.shares[seen.best])}  {said_of_decision(seen)}"
            f"{said_of_host(seen, self._facts)}  "
            f"{microseconds(seen.microseconds)}  lost frames {figures.lost_frames}"
        )

    def end(self, summary: Summary) -> None:
        """The command says it."""


class Events:
    """A view: one line an onset, and one where a class is said no longer.

    Raises:
        KdEdgeError KD_USAGE: nothing decides when a sign begins.
    """

    def __init__(self, facts: Facts, print_line: Callable[[str], None]):
        if not facts.decides:
            raise KdEdgeError(
                "KD_USAGE",
                "events come of a decision rule, and this model has none",
                where="--events",
                hint="add [decision] to the recipe and build again, or take --plain",
            )
        self._print = print_line
        self._said: str | None = None

    def samples(self, samples: Samples) -> None:
        """Not said."""

    def window(self, seen: Seen, figures: Figures) -> None:
        decision = seen.decision
        if decision is None:
            return
        if decision.onset:
            self._print(
                f"{seen.at_s:8.2f} s  {decision.said}  confidence {percent(decision.confidence)}"
            )
        elif self._said is not None and decision.said is None:
            self._print(f"{seen.at_s:8.2f} s  {self._said} ends")
        self._said = decision.said

    def end(self, summary: Summary) -> None:
        """The command says it."""


class Picture:
    """A view: signals, prediction and figures, drawn anew ten times a second.

    Use it as a context, which owns the screen's lower part.
    """

    def __init__(self, facts: Facts, console: Console):
        from rich.live import Live

        self._facts = facts
        self._traces = tuple(
            Trace(s.rate_hz, len(s.channels), seconds=_SHOWN_S) for s in facts.sensors
        )
        self._windows: deque[Seen] = deque(maxlen=_HISTORY)
        self._figures: Figures | None = None
        self._drawn_s = 0.0
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Picture:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def samples(self, samples: Samples) -> None:
        self._traces[samples.stream].add(samples.first, samples.values)
        if time.monotonic() - self._drawn_s >= _PERIOD_S:
            self._live.update(self.picture(), refresh=True)
            self._drawn_s = time.monotonic()

    def window(self, seen: Seen, figures: Figures) -> None:
        self._windows.append(seen)
        self._figures = figures

    def end(self, summary: Summary) -> None:
        """The command says it."""

    def picture(self) -> RenderableType:
        """What is on the screen now."""
        from rich.console import Group

        parts: list[RenderableType] = [self._signals()]
        if self._windows:
            parts += ["", self._answer(), "", self._history()]
        if self._figures is not None:
            parts += ["", *map(plain_text, figure_lines(self._figures, self._facts))]
        return Group(*parts)

    def _signals(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 1))
        for sensor, trace in zip(self._facts.sensors, self._traces, strict=True):
            heights = lanes(trace, sensor)
            more = len(sensor.channels) - len(heights)
            title = f"{sensor.name}, {sensor.rate_hz:g} Hz" + (f", {more} more" if more else "")
            table.add_row(Text(title, style="bold"), "")
            for name, line in heights:
                table.add_row(Text(f"  {name}"), Text(line, style="cyan"))
        return table

    def _answer(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        seen = self._windows[-1]
        table = Table.grid(padding=(0, 1))
        said = Text(said_of_host(seen, self._facts))
        table.add_row(Text(seen.name, style="bold"), "", said)
        if seen.decision is not None:
            table.add_row(Text(said_of_decision(seen).strip()), "", "")
        best = sorted(range(len(seen.shares)), key=lambda i: -seen.shares[i])[:_BARS]
        for index in best:
            bar = "█" * round(24 * seen.shares[index])
            share = percent(seen.shares[index])
            name = Text(self._facts.classes[index])
            table.add_row(name, Text(f"{bar:<24}", style="blue"), share)
        return table

    def _history(self) -> RenderableType:
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for title in ("window", "ends at", "board", "share", "host", "board's time"):
            table.add_column(title, justify="left" if title in ("board", "host") else "right")
        for seen in reversed(self._windows):
            cells = (
                str(seen.window),
                f"{seen.at_s:.2f} s",
                seen.name,
                percent(seen.shares[seen.best]),
                said_of_host(seen, self._facts),
                microseconds(seen.microseconds),
            )
            table.add_row(*map(plain_text, cells))
        return table


def said_of_decision(seen: Seen) -> str:
    """What a board that decides says, and two blanks behind it; '' of any other."""
    decision = seen.decision
    if decision is None:
        return ""
    marks = ["begins"] * decision.onset + ["window rejected"] * decision.rejected
    marks += ["host decides otherwise"] * (decision.same is False)
    said = f"says {decision.said}" if decision.said is not None else "says nothing"
    return f"{', '.join([said, *marks])}  "


def said_of_host(seen: Seen, facts: Facts) -> str:
    """The host's verdict in a few words; '' where there is none."""
    if seen.host is None:
        return f"not compared: {seen.not_compared}" if seen.not_compared else ""
    if not seen.host.same_class:
        return f"host says {facts.classes[seen.host.best]}"
    if seen.host.steps:
        return f"host says the same, scores differ by {seen.host.steps}"
    return "host says the same"


def figure_lines(figures: Figures, facts: Facts) -> list[str]:
    """Agreement, losses and latency, a line each."""
    lines = []
    if facts.host is not None:
        lines.append(f"agreement  {_agreement(figures, facts.host)}")
    if facts.decides:
        lines.append(f"decisions  {_decisions(figures)}")
    lost = f"{sum(figures.lost_samples):,} samples, {figures.missing_windows:,} windows"
    if not facts.here:
        lost = (
            f"{figures.lost_frames:,} of {figures.frames + figures.lost_frames:,} frames, {lost}; "
            f"{figures.damaged_frames:,} frames damaged"
        )
    lines.append(f"losses     {lost}")
    if facts.here and figures.median_us is not None and figures.delay_ms is not None:
        lines.append(
            f"latency    {microseconds(figures.median_us)} an answer (median), "
            f"p95 {microseconds(figures.p95_us)}; "
            f"p95 {figures.delay_ms:.1f} ms from the window's last sample to its answer"
        )
    elif figures.median_us is not None and figures.late_ms is not None:
        lines.append(
            f"latency    {microseconds(figures.median_us)} on the board (median), "
            f"p95 {microseconds(figures.p95_us)}; "
            f"up to {figures.late_ms:.1f} ms behind the quickest"
        )
    lines.append(f"time       {figures.seconds:.1f} s, {figures.windows:,} windows")
    return lines


def _agreement(figures: Figures, host: str) -> str:
    if not figures.compared:
        return f"no window compared with {host}"
    differ = ""
    if figures.differing:
        more = ", …" if figures.compared - figures.same_scores > len(figures.differing) else ""
        differ = f"; other scores in windows {', '.join(map(str, figures.differing))}{more}"
    return (
        f"{percent(figures.same_class / figures.compared)} same class, "
        f"{percent(figures.same_scores / figures.compared)} same scores in {figures.compared:,} "
        f"windows; largest difference {figures.largest_steps} steps ({host}){differ}"
    )


def _decisions(figures: Figures) -> str:
    compared = figures.decisions_compared
    alike = (
        f"; as the host decides in {figures.same_decision:,} of {compared:,}" if compared else ""
    )
    return (
        f"{plural(figures.onsets, 'onset')}, {plural(figures.rejected, 'window')} rejected{alike}"
    )


def lanes(trace: Trace, sensor: Sensor) -> list[tuple[str, str]]:
    """The first channels of a sensor as lines of blocks, newest at the right; a gap is a dot."""
    kept = list(trace.kept)
    if not kept:
        return [(name, "") for name in sensor.channels[:_LANES]]
    columns = _columns(kept, trace.size, sensor.rate_hz)
    low = np.min([stretch.low for stretch in kept], axis=0)
    high = np.max([stretch.high for stretch in kept], axis=0)
    return [
        (name, "".join(_block(column, c, low[c], high[c]) for column in columns))
        for c, name in enumerate(sensor.channels[:_LANES])
    ]


def _columns(kept: list[Stretch], size: int, rate_hz: float) -> list[list[Stretch]]:
    """The stretches of each character, by time."""
    per_column = _SHOWN_S * rate_hz / size / _WIDTH
    columns: list[list[Stretch]] = [[] for _ in range(_WIDTH)]
    for stretch in kept:
        position = _WIDTH - 1 - int((kept[-1].number - stretch.number) / per_column)
        if position >= 0:
            columns[position].append(stretch)
    return columns


def _block(stretches: list[Stretch], channel: int, low: float, high: float) -> str:
    """The value that is farthest from the middle of the lane, as a block."""
    if not stretches:
        return "·"
    low, high = float(low), float(high)  # counts would overflow
    middle = (low + high) / 2
    values = [v for s in stretches for v in (s.low[channel], s.high[channel])]
    value = max(values, key=lambda v: abs(v - middle))
    share = (value - low) / (high - low) if high > low else 0.0
    return _BLOCKS[min(int(share * len(_BLOCKS)), len(_BLOCKS) - 1)]
