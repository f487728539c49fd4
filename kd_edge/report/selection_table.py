"""Several models together, in a few lines of the terminal and as cells of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kd_edge.report import words
from kd_edge.report.selection_tree import Against, Selection, Way, WayFigure


@dataclass(frozen=True)
class WayCells:
    """One way to answer on one part, as people read it; instructions on each of `cores_of`."""

    way: str
    kind: str
    figure: str
    answered: str
    file_bytes: str
    bytes_run: str
    macs: str
    instructions: tuple[str, ...]


def parts_of(selection: Selection) -> tuple[str, ...]:
    """The parts that it was measured on, in order."""
    return tuple(figure.part for figure in selection.ways[0].figures) if selection.ways else ()


def cores_of(selection: Selection) -> tuple[str, ...]:
    """The cores that instructions are estimated for, in order."""
    figures = [figure for way in selection.ways for figure in way.figures]
    return selection.core, *(figures[0].elsewhere if figures else ())


def cells(selection: Selection, part: str) -> tuple[WayCells, ...]:
    """A line for each way to answer, on one part."""
    return tuple(
        _cells(way, figure)
        for way in selection.ways
        for figure in way.figures
        if figure.part == part
    )


def _cells(way: Way, figure: WayFigure) -> WayCells:
    return WayCells(
        way=way.name,
        kind=_KINDS[way.kind],
        figure=f"{words.percent(figure.value)} [{words.interval(figure.interval)}]",
        answered=words.answered(figure.answered)
        if way.kind in _SHARED and figure.answered
        else words.DASH,
        file_bytes=words.count(way.file_bytes),
        bytes_run=_count(figure.bytes_run),
        macs=_count(figure.macs),
        instructions=tuple(map(_count, (figure.instructions, *figure.elsewhere.values()))),
    )


_KINDS = {
    "model": "a model alone",
    "average": "every model, mean of scores",
    "largest margin": "every model, the surest answers",
    "product": "what ships",
    "oracle": "whoever is right; no rule can",
}


# Ways in which several models answer, each some examples.
_SHARED = ("largest margin", "product", "oracle")


def _count(value: float | None) -> str:
    return words.DASH if value is None else words.count(round(value))


def selection_lines(selection: Selection | None) -> Iterator[str]:
    """How the rule was fitted, and what it gives on each part; nothing of one model."""
    if selection is None:
        return
    fitted = fitted_line(selection)
    if fitted:
        yield fitted
    yield from against_lines(selection)
    for part in parts_of(selection):
        told = (f"{one.way} {one.figure}" for one in cells(selection, part))
        yield f"ways to answer {part}: {', '.join(told)}"


def fitted_line(selection: Selection) -> str | None:
    """How the margin of a cascade was found; None where it was stated."""
    if selection.margin is None:
        return None
    return (
        f"margin of {selection.product}: {selection.margin:.3g}, found on "
        f"{words.plural(selection.n_fitted, 'example')} of the validation part, where it "
        f"{_drops(selection.fitted_drop)}"
    )


def against_lines(selection: Selection) -> tuple[str, ...]:
    """The product beside one of its models, a sentence a part."""
    return tuple(_against(selection, one) for one in selection.against)


def _against(selection: Selection, one: Against) -> str:
    low, high = 100 * one.interval.low, 100 * one.interval.high
    saved = ""
    if one.saved is not None:
        where = f" on {selection.core}" if selection.unit == "instructions" else ""
        saved = f" and {_saves(one.saved)} of its {selection.unit}{where}"
    for core, share in one.saved_elsewhere.items():
        saved += "" if share is None else f", {_saves(share)} on {core}"
    if one.saved_of_all is not None and selection.rule != "cascade":
        saved += f"; {_saves(one.saved_of_all)} of what every model together takes"
    return (
        f"{selection.product} beside {one.model} on {one.part}: {_drops(one.drop)} of decisions "
        f"[{low:.2f} to {high:.2f} lost]{saved}"
    )


def _drops(drop: float) -> str:
    verb = "loses" if drop >= 0 else "gains"
    return f"{verb} {abs(100 * drop):.2f} points"


def _saves(saved: float) -> str:
    return f"saves {words.percent(saved)}" if saved >= 0 else f"takes {words.percent(-saved)} more"


def unknown_costs(selection: Selection) -> Sequence[str]:
    """Why a column of costs is empty."""
    if selection.unit == "instructions":
        return ()
    return (
        "Instructions are not known: the plain-C engine refuses a model, or no rate of one of its "
        "kernels was measured. kd-edge eval counts them on an emulated board.",
    )
