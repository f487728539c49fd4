"""Pictures of what models cost, and of what they see."""

from __future__ import annotations

from collections.abc import Sequence

from kd_edge.measure.results import Latency
from kd_edge.report import svg, words
from kd_edge.report.choose import rows_in_order
from kd_edge.report.plots import log_ticks, model_colours
from kd_edge.report.svg import INK, MUTED, PAPER, SERIES, Picture
from kd_edge.report.tree import Report, Row, SampleWindow

_MOST_LATENCIES = 16
_MOST_SECTIONS = len(SERIES)


def latency(report: Report) -> Picture | None:
    """Distribution of the host's inference times, a line a model, format and runtime."""
    rows = [row for row in rows_in_order(report) if row.latency]
    if not rows:
        return None
    shown = rows[:_MOST_LATENCIES]
    colours = model_colours(report)
    with svg.settings("latency"):
        figure = svg.blank(720, 66 + 31 * len(shown))
        axes = figure.subplots()
        for place, row in enumerate(shown):
            _distribution(axes, place, row.latency, colours.get(row.model, MUTED))
        axes.set_yticks(range(len(shown)), [words.shorten(_who(row), 44) for row in shown])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set_ylim(len(shown) - 0.4, -0.8)
        low = min(row.latency.p5_us for row in shown)
        high = max(row.latency.p99_us for row in shown)
        axes.set_xlim(low / 1.3, high * 1.6)
        log_ticks(axes, lambda us: f"{us:g}")
        axes.set_xlabel("µs an inference (logarithmic)")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        fastest = min(rows, key=lambda row: row.latency.median_us)
        first = shown[0].latency
        more = f" {len(rows) - len(shown)} more are in the table." if len(rows) > len(shown) else ""
        return svg.render(
            figure, name="latency", title="Latency on this host",
            description=f"Fastest: {_who(fastest)}, median "
            f"{words.microseconds(fastest.latency.median_us)}.",
            caption=f"{first.host}; {first.n_runs} runs after {first.n_warmup} to warm up, state "
            "reset before each. Dot: median; bar: 5th to 95th percentile. A host's speed says "
            f"little about a microcontroller's.{more}",
        )  # fmt: skip


def _distribution(axes, place: int, figure: Latency, colour: str) -> None:
    most = max((n / (high - low) for low, high, n in figure.histogram_us if high > low), default=0)
    if most:
        edges = [figure.histogram_us[0][0], *(high for _, high, _ in figure.histogram_us)]
        # Density, so that bins of unequal width keep their weight.
        heights = [
            0.62 * n / (high - low) / most if high > low else 0.0
            for low, high, n in figure.histogram_us
        ]
        axes.stairs([place - h for h in heights], edges, baseline=place, fill=True,
                    color=colour, alpha=0.28, linewidth=0)  # fmt: skip
    axes.plot([figure.p5_us, figure.p95_us], [place, place], color=colour, linewidth=2.4,
              solid_capstyle="round")  # fmt: skip
    axes.plot([figure.median_us], [place], "o", color=colour, markersize=7, markeredgecolor=PAPER)
    axes.annotate(words.number_us(figure.median_us), (figure.median_us, place), xytext=(0, -14),
                  textcoords="offset points", ha="center", fontsize=10)  # fmt: skip


def arena(report: Report) -> Picture | None:
    """Bytes of the arena by section, a bar a model."""
    rows = [row for row in rows_in_order(report) if row.arena]
    if not rows:
        return None
    bars = [(f"{row.model} {row.format}", row.arena.sections) for row in rows]
    totals = [row.arena.used_bytes for row in rows]
    smallest = [
        f"{row.model} {row.format} {words.n_bytes(row.arena.smallest_bytes)}"
        for row in rows
        if row.arena.smallest_bytes is not None
    ]
    return _stacked(
        bars, totals, name="arena", title="Arena by section",
        caption=f"{rows[0].arena.how}; ABI {rows[0].arena.abi}, not a board's. "
        + ("Smallest that ran, by bisection: " + "; ".join(smallest) + "." if smallest else ""),
    )  # fmt: skip


def flash(report: Report) -> Picture | None:
    """Bytes of flash by section of the exported C, a bar a compiler."""
    if not report.flash:
        return None
    compilers = {(section.compiler, section.core): section for section in report.flash}
    bars = [
        (f"with {number}" if len(compilers) > 1 else report.product,
         [(s.name, s.bytes) for s in report.flash if (s.compiler, s.core) == compiled])
        for number, compiled in enumerate(compilers, start=1)
    ]  # fmt: skip
    totals = [sum(n for _, n in sections) for _, sections in bars]
    hows = [words.flash_how(section) for section in compilers.values()]
    if len(hows) > 1:
        hows = [f"{number}: {how}" for number, how in enumerate(hows, 1)]
    return _stacked(
        bars, totals, name="flash", title="Flash by section", caption="; ".join(hows) + "."
    )


def _stacked(
    bars: Sequence[tuple[str, Sequence[tuple[str, int]]]],
    totals: Sequence[int],
    *,
    name: str,
    title: str,
    caption: str,
) -> Picture:
    shown, rest = _largest_sections(bars)
    with svg.settings(name):
        figure = svg.blank(460, 100 + 36 * len(bars) + 8 * len(shown))
        axes = figure.subplots()
        handles = []
        left = [0] * len(bars)
        for index, section in enumerate([*shown, *([rest] if rest else [])]):
            names = section if section is rest else (section,)
            sizes = [sum(n for s, n in sections if s in names) for _, sections in bars]
            colour = MUTED if section is rest else SERIES[index]
            style = {"color": colour, "edgecolor": PAPER, "linewidth": 1}
            handles.append(axes.barh(range(len(bars)), sizes, 0.55, left, **style))
            left = [before + size for before, size in zip(left, sizes, strict=True)]
        for place, (end, total) in enumerate(zip(left, totals, strict=True)):
            axes.annotate(words.kilobytes(total), (end, place), xytext=(5, 0),
                          textcoords="offset points", va="center")  # fmt: skip
        axes.set_xlim(0, 1.2 * max(1, *left))
        axes.xaxis.set_major_formatter(lambda n, _: f"{n / 1000:g}")
        axes.set_xlabel("kB (1000 bytes)")
        axes.set_yticks(range(len(bars)), [words.shorten(who, 30) for who, _ in bars])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set_ylim(len(bars) - 0.5, -0.5)
        axes.spines["left"].set_visible(False)
        labels = [words.shorten(section, 30) for section in shown]
        labels += [f"{len(rest)} smaller ones"] if rest else []
        figure.legend(handles, labels, loc="outside lower left", ncol=2)
        said = [f"{who}: {words.n_bytes(n)}" for (who, _), n in zip(bars, totals, strict=True)]
        return svg.render(
            figure, name=name, title=title, description="; ".join(said) + ".", caption=caption
        )


def _largest_sections(bars) -> tuple[list[str], tuple[str, ...]]:
    """The sections that get a colour of their own, largest first, and the others."""
    sums: dict[str, int] = {}
    for _, sections in bars:
        for section, n in sections:
            sums[section] = sums.get(section, 0) + n
    order = sorted((s for s in sums if sums[s]), key=lambda s: -sums[s])
    if len(order) <= _MOST_SECTIONS:
        return order, ()
    return order[: _MOST_SECTIONS - 1], tuple(order[_MOST_SECTIONS - 1 :])


def sample(window: SampleWindow, index: int) -> Picture | None:
    """One input of one window: a line a channel, in the units that the model sees."""
    if not window.values or not window.channels:
        return None
    name = f"sample-{index}"
    columns = list(zip(*window.values, strict=True))
    reach = max((max(column) - min(column) for column in columns), default=0.0) or 1.0
    times = [i / window.rate_hz for i in range(len(window.values))]
    with svg.settings(name):
        figure = svg.blank(360, 66 + 30 * len(columns))
        axes = figure.subplots()
        for place, column in enumerate(columns):
            middle = (max(column) + min(column)) / 2
            axes.plot(times, [place - 0.9 * (v - middle) / reach for v in column],
                      color=SERIES[place % len(SERIES)], linewidth=1)  # fmt: skip
        axes.set_yticks(range(len(columns)), [words.shorten(c, 16) for c in window.channels])
        axes.set_ylim(len(columns) - 0.4, -0.6)
        axes.set_xlim(0, times[-1] or 1)
        axes.set_xlabel("s")
        axes.spines["left"].set_visible(False)
        return svg.render(
            figure, name=name, title=f"{window.label}: {window.input_name}",
            description=f"{len(columns)} channels, {len(window.values)} samples at "
            f"{window.rate_hz:g} Hz.",
            caption=f"{window.rate_hz:g} Hz after the front end; one scale for all channels, the "
            f"largest swing is {reach:.3g}.",
        )  # fmt: skip


def _who(row: Row) -> str:
    return " · ".join(p for p in (row.model, row.format, words.runtime_name(row.runtime)) if p)
