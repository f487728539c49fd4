"""Pictures of what a board's answers took."""

from __future__ import annotations

from kd_edge.report import svg
from kd_edge.report.board_tree import BoardSection, Spread
from kd_edge.report.svg import SERIES, Picture


def board_pictures(section: BoardSection, number: int) -> tuple[Picture, ...]:
    """Distributions over windows: inference, then filters and quantisation where measured."""
    shown = (
        ("inference", "Inference on the board", section.inference),
        ("front-end", "Filters and quantisation on the board", section.front_end),
    )
    return tuple(
        _histogram(spread, name=f"board-{number}-{name}", title=title, colour=SERIES[i])
        for i, (name, title, spread) in enumerate(shown)
        if spread is not None
    )


def _histogram(spread: Spread, *, name: str, title: str, colour: str) -> Picture:
    with svg.settings(name):
        figure = svg.blank(720, 220)
        axes = figure.subplots()
        edges = [spread.histogram[0][0], *(high for _, high, _ in spread.histogram)]
        axes.stairs([n for _, _, n in spread.histogram], edges, fill=True, color=colour, alpha=0.6)
        axes.axvline(spread.median, color=colour, linewidth=2)
        axes.set_xlabel(f"{spread.unit} a window")
        axes.set_ylabel("windows")
        axes.ticklabel_format(axis="x", style="plain", useOffset=False)
        axes.locator_params(axis="both", integer=True)  # ticks and windows are counted
        return svg.render(
            figure, name=name, title=title,
            description=f"Median {spread.median:,.0f} {spread.unit}, 95th percentile "
            f"{spread.p95:,.0f}, most {spread.largest:,.0f}.",
            caption=f"{spread.n:,} answers; line: median.",
        )  # fmt: skip
