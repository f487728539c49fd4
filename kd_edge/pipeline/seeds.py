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
class SeedSummary:
    """What builds of one recipe with several seeds gave.

    Attributes:
        folders: of the bundles, in the order of `seeds`.
        measured: what the figures are, e.g. 'Right answers, % of windows'.
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
    )


def _accuracies(report: Report) -> dict[tuple, float]:
    leaky = {part.name: part.leaky for part in report.parts}
    return {
        (row.model, row.role, row.format, row.runtime, part, leaky[part]): 100 * figure.value
        for row in report.rows
        for part, figure in row.accuracy.items()
    }


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
