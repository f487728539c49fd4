"""Pictures of how often models are right, and how they learned."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kd_edge.base.formats import FORMATS
from kd_edge.report import svg, words
from kd_edge.report.choose import (
    ShownPart,
    best_accuracy,
    forms_by_choice,
    measure_title,
    rows_in_order,
)
from kd_edge.report.svg import GRID, INK, MUTED, PAPER, SERIES, Picture
from kd_edge.report.tree import Curve, FoldResult, Report, Row
from kd_edge.runtimes.results import KERAS
from kd_edge.tasks.figures import Figure, GroupAccuracy, GroupFigure

RIGHT, WRONG = SERIES[0], SERIES[1]
_KERAS_BYTES_A_PARAMETER = 4


def training_curves(curve: Curve, index: int) -> Picture | None:
    """Loss and accuracy an epoch, of training and validation; None without an epoch."""
    if not curve.loss:
        return None
    name, epochs = f"curve-{index}", range(1, len(curve.loss) + 1)
    with svg.settings(name):
        figure = svg.blank(460, 220)
        panels = figure.subplots(1, 2)
        panels[0].set_title("Loss")
        panels[1].set_title("Accuracy, %")
        pairs = (
            (curve.loss, curve.validation_loss, 1),
            (curve.accuracy, curve.validation_accuracy, 100),
        )
        for axes, (train, validation, scale) in zip(panels, pairs, strict=True):
            _line(axes, epochs, train, scale=scale, colour=SERIES[0], style="-")
            _line(axes, epochs, validation, scale=scale, colour=SERIES[1], style="--")
            axes.set_xlabel("epoch")
            axes.grid(axis="y")
            axes.set_ylim(bottom=0)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.spines["left"].set_visible(False)
        panels[1].set_ylim(0, 100)
        handles = panels[0].get_lines()
        panels[0].legend(handles, ["training", "validation"], loc="upper right")
        last = words.plural(len(curve.loss), "epoch")
        last += f"; training loss {curve.loss[-1]:.3g} at the end"
        best = max((v for v in curve.validation_accuracy if v is not None), default=None)
        if best is not None:
            last += f"; best validation accuracy {words.percent(best)}"
        seconds = f"{last}; {sum(curve.seconds):,.0f} s in all."
        return svg.render(
            figure, name=name, title=curve.model, description=f"{curve.model}: {last}.",
            caption=seconds,
        )  # fmt: skip


def _line(axes, epochs, values, *, scale: float, colour: str, style: str) -> None:
    shown = [math.nan if v is None else scale * v for v in values]
    marker = "o" if sum(v is not None for v in values) == 1 else ""
    axes.plot(epochs[: len(shown)], shown, color=colour, linestyle=style, marker=marker)


def confusion(accuracy: Figure, part: ShownPart, who: str, counted: str) -> Picture:
    """True classes down, predicted across; the share of each row as strength of colour.

    Right answers are blue and wrong ones orange, so that mistakes are seen without their numbers.

    Args:
        counted: what the cells count: 'windows'.
    """
    n = len(accuracy.class_names)
    cell = min(34.0, max(12.0, 600 / n))
    with svg.settings("confusion"):
        size = round(n * cell + 110)
        figure = svg.blank(size, size)
        axes = figure.subplots()
        _confusion_cells(axes, accuracy, with_counts=n <= 12)
        names = [words.shorten(name, 14) for name in accuracy.class_names]
        font = min(10.5, cell * 0.72)
        axes.set_xlim(-0.5, n - 0.5)
        axes.set_ylim(n - 0.5, -0.5)
        axes.set_aspect("equal")
        axes.set_xticks(range(n), names, rotation=90, fontsize=font, rotation_mode="anchor",
                        ha="right", va="center")  # fmt: skip
        axes.set_yticks(range(n), names, fontsize=font)
        axes.tick_params(length=0, pad=3)
        axes.tick_params(axis="x", pad=6)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.spines[:].set_visible(False)
        total = sum(map(sum, accuracy.confusion))
        wrong = total - sum(row[i] for i, row in enumerate(accuracy.confusion))
        return svg.render(
            figure, name="confusion", title="Confusion matrix",
            description=f"{who}; {part.heading}: {wrong:,} of {total:,} {counted} "
            "wrong. The most frequent confusions are in the table beside it.",
            caption=f"{who}; {part.heading}. Rows are true classes; a cell's strength is its "
            "share of the row. Blue: right, orange: wrong.",
        )  # fmt: skip


def _confusion_cells(axes, accuracy: Figure, *, with_counts: bool) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    cells, colours = [], []
    n = len(accuracy.class_names)
    for true, row in enumerate(accuracy.confusion):
        total = sum(row)
        for predicted, count in enumerate(row):
            if not count:
                continue
            share = count / total
            cells.append(Rectangle((predicted - 0.46, true - 0.46), 0.92, 0.92))
            colours.append(to_rgba(RIGHT if predicted == true else WRONG, 0.18 + 0.82 * share))
            if with_counts:
                colour = PAPER if share > 0.55 else INK
                axes.text(predicted, true, count, ha="center", va="center", color=colour)
    for line in range(n):
        axes.axhline(line, color=GRID, linewidth=0.5, zorder=0)
        axes.axvline(line, color=GRID, linewidth=0.5, zorder=0)
    axes.add_collection(PatchCollection(cells, facecolors=colours, linewidths=0))


def accuracy_against_bytes(report: Report, part: ShownPart) -> Picture | None:
    """Every model and format at its file's bytes (log) and accuracy; baselines as lines."""
    points = _points(report, part)
    if not points:
        return None
    colours = model_colours(report)
    with svg.settings("tradeoff"):
        figure = svg.blank(720, 340)
        axes = figure.subplots()
        for model in dict.fromkeys(row.model for row, _, _ in points):
            own = sorted((x, a, row.format) for row, x, a in points if row.model == model)
            axes.plot([x for x, _, _ in own], [100 * a.value for _, a, _ in own],
                      color=colours[model], linewidth=1, alpha=0.6)  # fmt: skip
            for x, accuracy, form in own:
                _point(axes, x, accuracy, colours[model], form)
        edge = 1.6 * max(x for _, x, _ in points)
        axes.set_xlim(min(x for _, x, _ in points) / 1.6, edge)
        for row, accuracy in _baselines(report, part):
            axes.axhline(100 * accuracy.value, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.annotate(row.model, (edge, 100 * accuracy.value), xytext=(-4, 3),
                          textcoords="offset points", ha="right", color=MUTED)  # fmt: skip
        log_ticks(axes, _bytes_label)
        axes.set_xlabel("bytes of the model (logarithmic)")
        axes.set_title(f"{measure_title(report)}: {part.name}")
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        _tradeoff_legend(figure, points, colours)
        smallest = min(points, key=lambda point: point[1])
        best = max(points, key=lambda point: point[2].value)
        return svg.render(
            figure, name="tradeoff", title="Accuracy against bytes",
            description=f"Smallest: {_who(smallest[0])}, {smallest[1]:,} bytes, "
            f"{words.accuracy(smallest[2])}. Most accurate: {_who(best[0])}, {best[1]:,} bytes, "
            f"{words.accuracy(best[2])}.",
            caption=f"On {part.heading}; bars are intervals. Keras models have no .tflite and "
            "stand hollow at 4 bytes a parameter. Dashed lines: plain baselines.",
        )  # fmt: skip


def _points(report: Report, part: ShownPart) -> list[tuple[Row, int, Figure]]:
    """One a model and format: the row, bytes and accuracy."""
    points = []
    for key in dict.fromkeys((row.model, row.format) for row in rows_in_order(report)):
        row, accuracy = best_accuracy(report, *key, part.name)
        if row is None or row.role == "baseline":
            continue
        if row.size:
            points.append((row, row.size.file_bytes, accuracy))
        elif row.parameters and row.format == KERAS:
            points.append((row, _KERAS_BYTES_A_PARAMETER * row.parameters, accuracy))
    return points


def _point(axes, x: int, accuracy: Figure, colour: str, form: str) -> None:
    middle, bounds = 100 * accuracy.value, accuracy.interval
    reach = [[max(0.0, middle - 100 * bounds.low)], [max(0.0, 100 * bounds.high - middle)]]
    axes.errorbar(
        [x], [middle], reach, color=colour, marker=_marker(form), markersize=7,
        markerfacecolor="none" if form == KERAS else colour, elinewidth=1, linestyle="",
    )  # fmt: skip


def _baselines(report: Report, part: ShownPart) -> list[tuple[Row, Figure]]:
    rows = [row for row in report.rows if row.role == "baseline" and part.name in row.accuracy]
    return [(row, row.accuracy[part.name]) for row in rows]


def _tradeoff_legend(figure, points, colours: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    used = {row.format for row, _, _ in points}
    forms = [form for form in forms_by_choice() if form in used]
    models = list(dict.fromkeys(row.model for row, _, _ in points))
    handles = [Line2D([], [], color=colours[m], linewidth=3) for m in models]
    names = [words.shorten(model, 28) for model in models]
    for form in forms:
        face = "none" if form == KERAS else MUTED
        style = {"marker": _marker(form), "markerfacecolor": face, "linestyle": ""}
        handles.append(Line2D([], [], color=MUTED, **style))
        names.append(form)
    figure.legend(handles, names, loc="outside lower left", ncol=5, columnspacing=1.2)


def _marker(form: str) -> str:
    """Matplotlib's, of a form; a dot for one that is unknown here."""
    if form == KERAS:
        return "v"
    return FORMATS[form].marker if form in FORMATS else "o"


def _who(row: Row) -> str:
    return f"{row.model} {row.format}".strip()


def groups(
    figures: Sequence[GroupFigure],
    *,
    name: str,
    title: str,
    caption: str,
    overall: float | None,
    measured: str,
) -> Picture | None:
    """One line a group: its figure as a dot, its interval as a bar; `overall` as a vertical line.

    None for fewer than two groups: there is nothing to compare. `measured` stands below the axis.
    """
    if len(figures) < 2:
        return None
    with svg.settings(name):
        figure = svg.blank(460, 60 + 24 * len(figures))
        axes = figure.subplots()
        for place, group in enumerate(figures):
            bounds = group.interval
            axes.plot([100 * bounds.low, 100 * bounds.high], [place, place], color=SERIES[0],
                      linewidth=2.2, alpha=0.45, solid_capstyle="round")  # fmt: skip
            axes.plot([100 * group.value], [place], "o", color=SERIES[0], markersize=7)
        if overall is not None:
            axes.axvline(100 * overall, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
        axes.set_yticks(range(len(figures)), [words.shorten(g.name, 26) for g in figures])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set_ylim(len(figures) - 0.5, -0.5)
        axes.set_xlim(0, 100)
        axes.set_xlabel(measured[0].lower() + measured[1:])
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        low = min(figures, key=lambda group: group.value)
        high = max(figures, key=lambda group: group.value)
        return svg.render(
            figure, name=name, title=title, caption=caption,
            description=f"From {words.percent(low.value)} ({low.name}) to "
            f"{words.percent(high.value)} ({high.name}).",
        )  # fmt: skip


def fold_group(fold: FoldResult) -> GroupAccuracy:
    """A fold as one line of `groups`."""
    figure = fold.accuracy
    return GroupAccuracy(fold.fold, figure.n_windows, figure.value, figure.interval)


def model_colours(report: Report) -> dict[str, str]:
    """A colour a model, the same in every picture; the product has the first."""
    models = dict.fromkeys(row.model for row in rows_in_order(report) if row.role != "baseline")
    return {model: SERIES[i % len(SERIES)] for i, model in enumerate(models)}


def log_ticks(axes, label) -> None:
    """Make the x axis logarithmic, with ticks at 1, 2 and 5 of each decade, named by `label`."""
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 2000 else (1,)
    ticks = [step * 10.0**d for d in decades for step in steps if low <= step * 10.0**d <= high]
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks, [label(tick) for tick in ticks])


def _bytes_label(n: float) -> str:
    for scale, unit in ((1e6, "MB"), (1e3, "kB")):
        if n >= scale:
            return f"{n / scale:g} {unit}"
    return f"{n:g} B"
