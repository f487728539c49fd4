"""Pictures of several models together: what a cascade saves and loses, and every way to answer."""

from __future__ import annotations

from kd_edge.report import svg, words
from kd_edge.report.selection_tree import CascadeCurve, Selection
from kd_edge.report.svg import INK, SERIES, Picture


def curve(selection: Selection) -> Picture | None:
    """Right decisions of a cascade against its cost, a line a part; None of other rules."""
    drawn = [each for each in selection.curves if each.product.cost is not None]
    if not drawn:
        return None
    with svg.settings("cascade"):
        figure = svg.blank(460, 300)
        axes = figure.subplots()
        for index, each in enumerate(drawn):
            _line(axes, each, SERIES[index % len(SERIES)])
        axes.axvline(100, color=INK, linewidth=0.8, linestyle=":")
        axes.set_xlabel(f"{selection.unit} an input, % of {selection.models[-1]} alone")
        axes.set_ylabel("right decisions, %")
        axes.grid(axis="y")
        axes.legend(loc="lower right")
        first = drawn[0]
        return svg.render(
            figure, name="cascade", title="What the cascade saves and loses",
            description=f"{first.part}: {words.percent(first.product.right)} right at "
            f"{words.percent(first.product.cost)} of the last model's {selection.unit}.",
            caption="Each line runs from the first model alone on the left to asking the last one "
            "always, on the right. Dots: the margin that ships.",
        )  # fmt: skip


def _line(axes, each: CascadeCurve, colour: str) -> None:
    points = sorted(each.points, key=lambda point: point.cost)
    axes.plot(
        [100 * point.cost for point in points],
        [100 * point.right for point in points],
        color=colour,
        label=words.shorten(each.part, 40),
    )
    axes.plot([100 * each.product.cost], [100 * each.product.right], "o", color=colour)


def ways(selection: Selection) -> Picture | None:
    """Every way to answer the first part, as points over its cost."""
    found = [
        (way, cost)
        for way in selection.ways
        if (cost := _cost(selection, way.figures[0])) is not None
    ]
    if not found:
        return None
    with svg.settings("ways"):
        figure = svg.blank(460, 300)
        axes = figure.subplots()
        for way, cost in found:
            value = 100 * way.figures[0].value
            ships = way.kind == "product"
            axes.plot(
                [cost], [value], "o" if ships else "s", color=SERIES[0 if ships else 1],
                markersize=8 if ships else 5,
            )  # fmt: skip
            axes.annotate(
                words.shorten(way.name, 24), (cost, value), xytext=(6, 4),
                textcoords="offset points",
            )  # fmt: skip
        for way in selection.ways:
            if way.kind == "oracle":
                axes.axhline(100 * way.figures[0].value, color=INK, linewidth=0.8, linestyle=":")
        axes.margins(x=0.25, y=0.15)
        axes.set_xlabel(f"{selection.unit} an input, expected")
        axes.set_ylabel(f"{selection.figure}, %")
        axes.grid(axis="y")
        part = selection.ways[0].figures[0].part
        return svg.render(
            figure, name="ways", title=f"Ways to answer: {words.shorten(part, 40)}",
            description=f"{words.plural(len(found), 'way')} to answer with the same models.",
            caption="Round: what ships. Dotted: an oracle that always picks a model that is right.",
        )  # fmt: skip


def _cost(selection: Selection, figure) -> float | None:
    return figure.instructions if selection.unit == "instructions" else figure.macs
