"""The figures of a product of several models beside each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from firmware_export.aot.cores import M4, M55
from kd_edge.base.product import Product
from kd_edge.examples import Examples
from kd_edge.measure.size import measure_size
from kd_edge.pipeline.composed_proof import count_answers
from kd_edge.pipeline.instructions import estimated_instructions
from kd_edge.pipeline.selection.cascade import all_margins, who_answers
from kd_edge.pipeline.selection.said import Said, ask
from kd_edge.pipeline.selection.ways import (
    PRODUCT,
    Chosen,
    ModelCost,
    every_way,
    expected,
)
from kd_edge.report.selection_tree import (
    Against,
    CascadeCurve,
    CurvePoint,
    Selection,
    Way,
    WayFigure,
)
from kd_edge.tasks import Task
from kd_edge.tasks.intervals import difference_interval

_MOST_POINTS = 40
# The first decides what a cascade saves; the second has vectors.
_CORES = (M4, M55)
INSTRUCTIONS, MACS = "instructions", "multiply-accumulates"


@dataclass(frozen=True, eq=False)
class _Part:
    """One part's ways to answer."""

    name: str
    said: Said
    chosen: tuple[Chosen, ...]

    @property
    def product(self) -> Chosen:
        return next(way for way in self.chosen if way.kind == PRODUCT)


def measure_selection(
    product: Product,
    name: str,
    task: Task,
    inputs: Mapping[str, Sequence[str]],
    parts: Mapping[str, Examples],
) -> Selection:
    """Every way to answer with the product's models, on each part.

    Args:
        product: of several models. name: of it.
        inputs: member -> the window inputs that feed it.
        parts: part -> its examples, with every input.
    """
    costs = [
        ModelCost(
            member.model.n_bytes,
            measure_size(member.path).macs,
            tuple(estimated_instructions(member.path, core.name) for core in _CORES),
        )
        for member in product.members
    ]
    on_cores = list(zip(*(cost.instructions for cost in costs), strict=True))
    known = None not in on_cores[0]
    units = list(on_cores[0]) if known else [cost.macs for cost in costs]
    elsewhere = {core.title: each for core, each in zip(_CORES[1:], on_cores[1:], strict=True)}
    made = []
    for part, examples in parts.items():
        said, selector = _ask(product, task, inputs, examples)
        made.append(_Part(part, said, tuple(every_way(product, name, said, selector))))
    cascade = product.composition.rule == "cascade"
    return Selection(
        product=name,
        rule=product.composition.rule,
        models=product.composition.models,
        core=_CORES[0].title,
        unit=INSTRUCTIONS if known else MACS,
        figure=_figure_name(made),
        ways=tuple(_ways(product, made, costs)),
        curves=tuple(_curve(product, part, units) for part in made if cascade),
        against=tuple(_against(product, part, units, elsewhere) for part in made),
    )


def _ask(
    product: Product, task: Task, inputs: Mapping[str, Sequence[str]], examples: Examples
) -> tuple[Said, Said | None]:
    """What the models that may answer say, and the selector if there is one."""
    n = len(product.composition.models)
    said = ask(product.members[:n], inputs, examples, task)
    picking = product.members[n:]
    return said, ask(picking, inputs, examples, task) if picking else None


def _figure_name(made: Sequence[_Part]) -> str:
    first = made[0]
    return first.said.task.score(first.product.scores, first.said.examples).called


def _ways(product: Product, made: Sequence[_Part], costs: Sequence[ModelCost]) -> Iterator[Way]:
    for place, first in enumerate(made[0].chosen):
        needed = np.ones(len(costs), bool) if first.ran is None else first.ran.any(axis=1)
        if first.kind == PRODUCT:
            needed[:] = True
        yield Way(
            name=first.name,
            kind=first.kind,
            file_bytes=sum(cost.file_bytes for cost, one in zip(costs, needed, strict=True) if one),
            figures=tuple(_figure(product, part, part.chosen[place], costs) for part in made),
        )


def _figure(product: Product, part: _Part, way: Chosen, costs: Sequence[ModelCost]) -> WayFigure:
    figure = part.said.task.score(way.scores, part.said.examples)
    on_cores = zip(*(cost.instructions for cost in costs), strict=True)
    instructions = [expected(way.ran, each) for each in on_cores]
    return WayFigure(
        part=part.name,
        value=figure.value,
        interval=figure.interval,
        answered=count_answers(product, way.who),
        bytes_run=expected(way.ran, [cost.file_bytes for cost in costs]),
        macs=expected(way.ran, [cost.macs for cost in costs]),
        instructions=instructions[0],
        elsewhere={core.title: n for core, n in zip(_CORES[1:], instructions[1:], strict=True)},
    )


def _curve(product: Product, part: _Part, units: Sequence[int | None]) -> CascadeCurve:
    """The cascade at every margin, thinned out to where something changes."""
    scales = [member.outputs[0].scale for member in product.members[:-1]]
    said, n = part.said, len(part.said.examples)

    def point(margin: float, who: np.ndarray) -> CurvePoint:
        ran = np.arange(len(units))[:, None] <= who
        cost = expected(ran, units)
        return CurvePoint(
            margin=float(margin),
            asked=float(np.mean(who == len(units) - 1)),
            right=float(said.right[who, np.arange(n)].mean()),
            cost=None if cost is None else cost / units[-1],
        )

    points = [point(margin, who_answers(said, margin, scales)) for margin in all_margins(scales)]
    told = [one for i, one in enumerate(points) if i == 0 or one.asked != points[i - 1].asked]
    some = np.unique(np.linspace(0, len(told) - 1, _MOST_POINTS).round().astype(int))
    least = product.composition.least_margins[0] * scales[0]
    return CascadeCurve(part.name, tuple(told[i] for i in some), point(least, part.product.who))


def _against(
    product: Product,
    part: _Part,
    units: Sequence[int | None],
    elsewhere: Mapping[str, Sequence[int | None]],
) -> Against:
    """Args: units: what each member takes. elsewhere: further core -> its instructions."""
    said, way = part.said, part.product
    right = said.task.shares_right(way.scores, said.examples.truth)
    cascade = product.composition.rule == "cascade"
    place = len(said.right) - 1 if cascade else int(said.right.mean(axis=1).argmax())
    reference = said.right[place]

    def saved(each: Sequence[int | None], of: int | None) -> float | None:
        cost = expected(way.ran, each)
        return None if cost is None else 1 - cost / of

    every = None if None in units else sum(units[: len(said.right)])
    return Against(
        part=part.name,
        model=product.composition.models[place],
        drop=float(reference.mean() - right.mean()),
        interval=difference_interval(reference, right, said.examples.groups.recording),
        saved=saved(units, units[place]),
        saved_of_all=saved(units, every),
        saved_elsewhere={core: saved(each, each[place]) for core, each in elsewhere.items()},
    )
