"""One recipe with several seeds: a bundle each, and the mean and spread of their figures."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kd_edge.base.files import write_text
from kd_edge.pipeline.build import Built, build
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Recipe
from kd_edge.report.choose import measure_title
from kd_edge.report.selection_tree import Selection, WayFigure
from kd_edge.report.tree import Gate, Report

SUMMARY_FILE = "seeds.json"
_WORSE = ("stated", "held", "unsure", "failed")


@dataclass(frozen=True)
class Spread:
    """One figure over the seeds, in percent.

    Attributes:
        deviation: sample standard deviation; None of a single seed.
        values: one a seed, in the order of `SeedSummary.seeds`.
    """

    mean: float
    deviation: float | None
    lowest: float
    highest: float
    values: tuple[float, ...]


@dataclass(frozen=True)
class SeedFigure:
    """The figure (accuracy, mean IoU) of one model in one format on one runtime and part."""

    model: str
    role: str
    format: str
    runtime: str
    part: str
    leaky: bool
    accuracy: Spread


@dataclass(frozen=True)
class SeedGate:
    """One limit over the seeds; `verdicts` has one a seed, in the order of `SeedSummary.seeds`.

    Attributes:
        worst: the seed's gate with the worst verdict, with its figure and interval.
    """

    worst: Gate
    verdicts: tuple[str, ...]


@dataclass(frozen=True)
class SeedWay:
    """One way to answer with the models of a product, on one part.

    Attributes:
        kind: as `Way.kind`.
        figure: the task's, percent.
        ahead: what the product has more than this way, points; each seed beside itself.
        cost: expected an input, mean of the seeds; None: no rule answers so, or it is not known.
        instructions: core -> the same in instructions.
    """

    name: str
    kind: str
    part: str
    leaky: bool
    figure: Spread
    ahead: Spread
    cost: float | None
    instructions: Mapping[str, float | None]


@dataclass(frozen=True)
class SeedTogether:
    """The ways to answer with several students over the seeds.

    Attributes:
        unit: of `SeedWay.cost`, as `Selection.unit` says it.
    """

    product: str
    rule: str
    unit: str
    ways: tuple[SeedWay, ...]


@dataclass(frozen=True)
class SeedSummary:
    """What builds of one recipe with several seeds gave.

    Attributes:
        folders: of the bundles, in the order of `seeds`.
        measured: what the figures are, e.g. 'Right answers, % of windows'.
        together: of a product of several models, every way to answer with them.
        failures: seed -> messages of the gates that it failed; a seed that held all is absent.
    """

    title: str
    seeds: tuple[int, ...]
    folders: tuple[str, ...]
    synthetic: bool
    host: str
    figures: tuple[SeedFigure, ...]
    gates: tuple[SeedGate, ...]
    failures: Mapping[int, tuple[str, ...]]
    measured: str
    together: SeedTogether | None = None

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)


def build_seeds(
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    data: Path | None,
    out: Path,
    command: str,
    cache: bool = True,
    n_workers: int = 1,
    watch: Watch | None = None,
) -> tuple[SeedSummary, tuple[Built, ...]]:
    """Build `out`/seed-N for every seed, and write `out`/seeds.json.

    A failed gate of one seed does not stop the others. What does not depend on the seed, such as
    the windows, is made once, unless `cache` is False.

    Raises:
        KdEdgeError: as `build`.
    """
    watch = watch or Watch()
    built = []
    for seed in seeds:
        watch.note(f"seed {seed}")
        built.append(
            build(
                recipe.model_copy(update={"seed": seed}),
                data=data,
                out=out / folder_of(seed),
                command=command,
                cache=cache,
                n_workers=n_workers,
                watch=watch,
            )
        )
    summary = summarise(recipe.name, dict(zip(seeds, built, strict=True)))
    write_text(out / SUMMARY_FILE, summary.to_json() + "\n")
    return summary, tuple(built)


def folder_of(seed: int) -> str:
    """Name of a seed's bundle."""
    return f"seed-{seed}"


def summarise(title: str, built: Mapping[int, Built]) -> SeedSummary:
    """Mean and spread of every accuracy that all seeds have, in the reports' order."""
    reports = [one.report for one in built.values()]
    found = [_accuracies(report) for report in reports]
    figures = [
        SeedFigure(*key, _spread([of_seed[key] for of_seed in found]))
        for key in found[0]
        if all(key in of_seed for of_seed in found)
    ]
    failures = {
        seed: tuple(str(failure.message) for failure in one.failures)
        for seed, one in built.items()
        if one.failures
    }
    return SeedSummary(
        title=title,
        seeds=tuple(built),
        folders=tuple(map(folder_of, built)),
        synthetic=any(report.synthetic for report in reports),
        host=reports[0].provenance.host,
        figures=tuple(figures),
        gates=_gates(reports),
        failures=failures,
        measured=measure_title(reports[0]),
        together=_together(reports),
    )


def _accuracies(report: Report) -> dict[tuple, float]:
    leaky = {part.name: part.leaky for part in report.parts}
    return {
        (row.model, row.role, row.format, row.runtime, part, leaky[part]): 100 * figure.value
        for row in report.rows
        for part, figure in row.accuracy.items()
    }


def _together(reports: Sequence[Report]) -> SeedTogether | None:
    selections = [report.selection for report in reports if report.selection is not None]
    if len(selections) < len(reports):
        return None
    tests = {part.name: part.leaky for part in reports[0].parts if part.role == "test"}
    return together_of(selections, tests)


def together_of(selections: Sequence[Selection], tests: Mapping[str, bool]) -> SeedTogether:
    """Every way to answer, over the seeds.

    Args:
        selections: one a seed. tests: test part -> whether it flatters.
    """
    found = [
        {(way.name, way.kind, figure.part): figure for way in each.ways for figure in way.figures}
        for each in selections
    ]
    first, ways = selections[0], []
    for name, kind, part in found[0]:
        of_seeds = [each.get((name, kind, part)) for each in found]
        products = [each.get((first.product, "product", part)) for each in found]
        if part in tests and None not in (*of_seeds, *products):
            ways.append(_way((name, kind, part, tests[part]), of_seeds, products, first))
    return SeedTogether(first.product, first.rule, first.unit, tuple(ways))


def _way(
    key: tuple[str, str, str, bool],
    of_seeds: Sequence[WayFigure],
    products: Sequence[WayFigure],
    first: Selection,
) -> SeedWay:
    known = first.unit == "instructions"
    cores = {first.core: [each.instructions for each in of_seeds]} | {
        core: [each.elsewhere.get(core) for each in of_seeds] for core in of_seeds[0].elsewhere
    }
    return SeedWay(
        *key,
        figure=_spread([100 * each.value for each in of_seeds]),
        ahead=_spread(
            [100 * (ours.value - each.value) for ours, each in zip(products, of_seeds, strict=True)]
        ),
        cost=_mean(cores[first.core] if known else [each.macs for each in of_seeds]),
        instructions={core: _mean(each) for core, each in cores.items()},
    )


def _mean(values: Sequence[float | None]) -> float | None:
    return None if None in values else statistics.fmean(values)


def _gates(reports: Sequence[Report]) -> tuple[SeedGate, ...]:
    """Limits that every seed was held against."""
    by_what: dict[tuple, list[Gate]] = {}
    for report in reports:
        for gate in report.gates:
            if gate.limit is not None:
                by_what.setdefault((gate.code, gate.model, gate.tested, gate.against), []).append(
                    gate
                )
    return tuple(
        SeedGate(max(gates, key=lambda g: _WORSE.index(g.verdict)), tuple(g.verdict for g in gates))
        for gates in by_what.values()
        if len(gates) == len(reports)
    )


def _spread(values: Sequence[float]) -> Spread:
    return Spread(
        mean=statistics.fmean(values),
        deviation=statistics.stdev(values) if len(values) > 1 else None,
        lowest=min(values),
        highest=max(values),
        values=tuple(values),
    )
