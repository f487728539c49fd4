"""Pictures of confidence and decisions: accuracy against coverage, and against delay."""

from __future__ import annotations

from kd_edge.report import svg, words
from kd_edge.report.decision_tree import DecisionSection, StreamEvents
from kd_edge.report.svg import SERIES, Picture


def coverage(section: DecisionSection) -> Picture:
    """Accuracy of the most confident windows against how many they are, a line a part."""
    with svg.settings("coverage"):
        figure = svg.blank(460, 300)
        axes = figure.subplots()
        for index, covered in enumerate(section.coverage):
            colour = SERIES[index % len(SERIES)]
            points = covered.curve.points
            axes.plot(
                [100 * p.coverage for p in points], [100 * p.accuracy for p in points],
                color=colour, label=words.shorten(covered.part, 40),
                marker="o" if len(points) == 1 else "",
            )  # fmt: skip
            if covered.answered is not None and covered.accuracy is not None:
                axes.plot([100 * covered.answered], [100 * covered.accuracy], "o", color=colour)
        axes.set_xlim(0, 101)
        axes.set_ylim(top=100.5)
        axes.set_xlabel("answered, % of windows, the most confident first")
        axes.set_ylabel("right, %")
        axes.grid(axis="y")
        axes.legend(loc="lower left")
        first = section.coverage[0]
        return svg.render(
            figure, name="coverage", title="Accuracy against coverage",
            description=f"{first.part}: area under risk and coverage {first.curve.aurc:.3f}.",
            caption="Windows with the least calibrated confidence are left out first. Dots: what "
            "the recipe's thresholds leave.",
        )  # fmt: skip


def events(found: StreamEvents, index: int) -> Picture:
    """Events found, and false alarms, against the delay: a point for so many windows together."""
    name = f"events-{index}"
    points = [point for point in found.points if point.score.median_delay_s is not None]
    with svg.settings(name):
        figure = svg.blank(460, 240)
        panels = figure.subplots(1, 2)
        delays = [point.score.median_delay_s for point in points]
        shares = [100 * point.score.found_share for point in points]
        alarms = [point.score.alarms_a_minute for point in points]
        for axes, values, title in zip(
            panels, (shares, alarms), ("Events found, %", "False alarms a minute"), strict=True
        ):
            axes.plot(delays, values, color=SERIES[0], marker="o", markersize=4)
            for point, delay, value in zip(points, delays, values, strict=True):
                axes.annotate(str(point.windows), (delay, value), xytext=(3, 4),
                              textcoords="offset points")  # fmt: skip
            axes.set_title(title)
            axes.set_xlabel("median delay, s")
            axes.set_ylim(bottom=0)
            axes.grid(axis="y")
        panels[0].set_ylim(0, 105)
        return svg.render(
            figure, name=name, title=f"Accuracy against delay: {found.part}",
            description=f"{words.plural(len(points), 'point')}, each for so many windows together.",
            caption="Each point is for so many windows that decide together; the recipe says "
            f"{found.recipe_windows}.",
        )  # fmt: skip
