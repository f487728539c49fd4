"""Pictures of a compilation: the arena over time, and what layers cost."""

from __future__ import annotations

from kd_edge.report import svg, words
from kd_edge.report.compile_report import CompileReport
from kd_edge.report.compile_words import short_place
from kd_edge.report.svg import INK, MUTED, PAPER, SERIES, Picture

# Colours by what a buffer is for.
_COLOURS = {
    "input": SERIES[1],
    "output": SERIES[2],
    "activation": SERIES[0],
    "scratch": SERIES[4],
    "state": SERIES[3],
}
_WIDTH, _MOST_HEIGHT = 860, 620
_MOST_BARS = 24


def memory_map(report: CompileReport) -> Picture:
    """Every buffer as a rectangle: from its first to its last call, at its place in the arena."""
    from matplotlib.patches import Rectangle

    memory = report.memory
    n_moments = len(memory.moments)
    height = min(_MOST_HEIGHT, 260 + 16 * len(memory.map))
    with svg.settings("memory-map"):
        figure = svg.blank(_WIDTH, height)
        axes = figure.subplots()
        for entry in memory.map:
            left, width = entry.first - 0.5, entry.last - entry.first + 1
            axes.add_patch(
                Rectangle(
                    (left, entry.offset_bytes), width, entry.n_bytes,
                    facecolor=_COLOURS[entry.kind], alpha=0.35, edgecolor=PAPER, linewidth=1.5,
                )
            )  # fmt: skip
            _label(axes, entry, report, height=height)
        axes.set_xlim(-0.5, n_moments - 0.5)
        axes.set_ylim(0, max(memory.arena_bytes, 1) * 1.02)
        axes.set_xticks(range(n_moments), _ticks(memory.moments), rotation=40, ha="right")
        axes.yaxis.set_major_formatter(lambda n, _: f"{n:,.0f}")
        axes.set_ylabel("bytes from the arena's start")
        axes.grid(axis="y")
        kinds = [kind for kind in _COLOURS if any(e.kind == kind for e in memory.map)]
        handles = [Rectangle((0, 0), 1, 1, facecolor=_COLOURS[k], alpha=0.35) for k in kinds]
        figure.legend(handles, kinds, loc="outside upper right", ncol=len(kinds) or 1)
        return svg.render(
            figure, name="memory-map", title="The arena over time",
            description=f"{words.plural(len(memory.map), 'buffer')} over "
            f"{words.plural(n_moments - 2, 'call')} in {words.n_bytes(memory.arena_bytes)}.",
            caption="From left to right the calls in order, from bottom to top the arena's bytes. "
            f"At its fullest moment {words.n_bytes(memory.bound_bytes)} are in use: no plan can "
            "need less. The calls of a loop stand once; its buffers live through all its turns "
            "where they must.",
        )  # fmt: skip


def _label(axes, entry, report: CompileReport, *, height: int) -> None:
    """The name inside the rectangle, as far as it goes in; smaller ones are in the table alone."""
    memory = report.memory
    wide = (entry.last - entry.first + 1) / len(memory.moments) * (_WIDTH - 110)
    tall = entry.n_bytes / max(memory.arena_bytes, 1) * (height - 140)
    letters = int(wide / 6.2)
    if tall < 12 or letters < 4:
        return
    text = words.shorten(entry.name, letters)
    size = f" {words.n_bytes(entry.n_bytes)}"
    if len(text) + len(size) <= letters:
        text += size
    middle = (entry.first + entry.last) / 2, entry.offset_bytes + entry.n_bytes / 2
    axes.annotate(text, middle, ha="center", va="center", fontsize=9.5, color=INK)


def _ticks(moments: tuple[str, ...]) -> list[str]:
    """Short names of calls: '3 CONV_2D'; where there are many, every few alone."""
    every = -(-len(moments) // 40)
    short = [words.shorten(short_place(moment), 26) for moment in moments]
    return [name if i % every == 0 else "" for i, name in enumerate(short)]


def constants(report: CompileReport) -> Picture | None:
    """Bytes of flash that each layer's constants take."""
    return _bars(
        report, [layer.constant_bytes for layer in report.layers],
        name="constants", title="Constants of each layer", unit="bytes",
        caption="Weights, tables and factors in flash; code is not in it.",
    )  # fmt: skip


def operations(report: CompileReport) -> Picture | None:
    """Multiply-accumulates of each layer, and values of those without."""
    return _bars(
        report, [layer.macs or layer.elements for layer in report.layers],
        name="operations", title="Operations of each layer", unit="a window",
        muted=[not layer.macs for layer in report.layers],
        caption="Multiply-accumulates; in grey, where there are none, the values gone through.",
    )  # fmt: skip


def _bars(
    report: CompileReport,
    sizes: list[int],
    *,
    name: str,
    title: str,
    unit: str,
    caption: str,
    muted: list[bool] | None = None,
) -> Picture | None:
    if not any(sizes):
        return None
    order = sorted(range(len(sizes)), key=lambda i: -sizes[i])[:_MOST_BARS]
    shown = sorted(i for i in order if sizes[i])
    grey = muted or [False] * len(sizes)
    with svg.settings(name):
        figure = svg.blank(460, 70 + 24 * len(shown))
        axes = figure.subplots()
        for place, i in enumerate(shown):
            axes.barh(place, sizes[i], 0.62, color=MUTED if grey[i] else SERIES[0])
            axes.annotate(f"{sizes[i]:,}", (sizes[i], place), xytext=(4, 0),
                          textcoords="offset points", va="center", fontsize=9.5)  # fmt: skip
        labels = [_ticks((report.layers[i].place,))[0] for i in shown]
        axes.set_yticks(range(len(shown)), labels)
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_xlim(0, 1.25 * max(sizes))
        axes.xaxis.set_major_formatter(lambda n, _: f"{n:,.0f}")
        axes.locator_params(axis="x", nbins=4)
        axes.set_xlabel(unit)
        axes.spines["left"].set_visible(False)
        left_out = sum(1 for size in sizes if size) - len(shown)
        more = f" {words.plural(left_out, 'smaller one')} left out." if left_out else ""
        most = max(shown, key=lambda i: sizes[i])
        return svg.render(
            figure, name=name, title=title,
            description=f"Most: {report.layers[most].place}, {sizes[most]:,} of {sum(sizes):,}.",
            caption=caption + more,
        )  # fmt: skip
