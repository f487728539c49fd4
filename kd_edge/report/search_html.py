"""What a search found as one HTML file that needs no network: a Pareto picture and every trial."""

from __future__ import annotations

import json
from typing import Any

from kd_edge.report import svg, words
from kd_edge.report.html import page_template
from kd_edge.report.plots import log_ticks
from kd_edge.report.search_tree import COMPLETE, SearchReport, SearchTrial
from kd_edge.report.svg import MUTED, SERIES, Picture

_MARGIN = 1.6  # either side of the axis of bytes: a tick at 1, 2 or 5 always lies in it


def render_search(report: SearchReport) -> str:
    """The whole page; the same report gives the same bytes with the same Matplotlib."""
    return page_template("search.html.j2").render(
        report=report,
        picture=pareto_picture(report),
        best=None if report.best is None else report.trial(report.best),
        ordered=in_order(report),
        sentence=sentence(report),
        words=words,
        value=value,
    )


def sentence(report: SearchReport) -> str:
    """What was found, in one sentence."""
    counts = [
        f"{n} {state}"
        for state in dict.fromkeys(trial.state for trial in report.trials)
        if (n := sum(trial.state == state for trial in report.trials))
    ]
    said = f"{words.plural(len(report.trials), 'trial')} ({', '.join(counts)})"
    if report.best is None:
        return f"{said}; none has a score."
    best = report.trial(report.best)
    return (
        f"{said}; the best is trial {best.number}: {words.percent(best.score)} with "
        f"{words.n_bytes(best.int8_bytes)}."
    )


def in_order(report: SearchReport) -> list[SearchTrial]:
    """The best first, those without a score last."""
    return sorted(
        report.trials, key=lambda t: (t.score is None, -(t.score or 0.0), t.int8_bytes or 0)
    )


def value(of: Any) -> str:
    """A value as a recipe has it, near enough."""
    if isinstance(of, float):
        return f"{of:.4g}"
    return of if isinstance(of, str) else json.dumps(of, ensure_ascii=False)


def pareto_picture(report: SearchReport) -> Picture | None:
    """Every complete trial at its bytes (log) and score; those that no other beats, joined."""
    complete = [trial for trial in report.trials if trial.state == COMPLETE]
    if not complete:
        return None
    front = [report.trial(number) for number in report.front]
    with svg.settings("pareto"):
        figure = svg.blank(720, 340)
        axes = figure.subplots()
        others = [trial for trial in complete if trial.number not in report.front]
        _points(axes, others, MUTED, "other trials")
        _points(axes, front, SERIES[0], "not beaten in both")
        axes.step([t.int8_bytes for t in front], [100 * t.score for t in front], where="post",
                  color=SERIES[0], linewidth=1)  # fmt: skip
        for trial in front:
            axes.annotate(str(trial.number), (trial.int8_bytes, 100 * trial.score),
                          xytext=(4, 4), textcoords="offset points", color=MUTED)  # fmt: skip
        sizes = [trial.int8_bytes for trial in complete]
        axes.set_xlim(min(sizes) / _MARGIN, max(sizes) * _MARGIN)
        log_ticks(axes, lambda n: f"{n:,.0f}")
        axes.set_xlabel("bytes of the int8 student (logarithmic)")
        axes.set_title(f"{report.measured}: validation")
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        axes.legend(loc="lower right")
        return svg.render(
            figure, name="pareto", title="Score against bytes", description=sentence(report),
            caption=f"Scored on {report.scored_on}. Numbers are those of trials. The figures chose "
            "the recipe, so they flatter it: build it for figures of the test parts.",
        )  # fmt: skip


def _points(axes, trials: list[SearchTrial], colour: str, label: str) -> None:
    axes.plot([t.int8_bytes for t in trials], [100 * t.score for t in trials], color=colour,
              marker="o", markersize=6, linestyle="", label=label)  # fmt: skip
