"""Several seeds of one recipe: a bundle each, and figures as mean and spread."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, replace

import pytest
from build_samples import RECIPE
from report_samples import HONEST, LEAKY, PRODUCT, full_report

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli import run
from kd_edge.pipeline.build import Built
from kd_edge.pipeline.bundle import load_manifest
from kd_edge.pipeline.seeds import summarise
from kd_edge.recipe import load_recipe
from kd_edge.report.json import from_json
from kd_edge.report.ways_table import ways_table

# One small student on labels alone: what is looked at is the folders and the sums.
SMALL = RECIPE[: RECIPE.index("[[teachers]]")] + (
    '[[students]]\nname = "student"\nmodel = "tcn"\ninputs = ["imu"]\nepochs = 2\ndistill = false\n'
    '[conversion]\nformats = ["float32", "int8"]\ncalibration_windows = 16\n'
    "max_drop_points = 100\n"
    "[proof]\nparity_windows = 16\nlatency_runs = 20\nmin_agreement = 0.01\n"
)


def seed_of(report, accuracy: float, *failures):
    """A build whose product has this accuracy on the honest part everywhere."""
    rows = tuple(
        replace(
            row,
            accuracy={**row.accuracy, HONEST: replace(row.accuracy[HONEST], accuracy=accuracy)},
        )
        for row in report.rows
    )
    return Built(replace(report, rows=rows), failures)


def test_a_figure_is_its_mean_and_sample_deviation_over_the_seeds():
    """Oracle: statistics.mean and .stdev of 0.5, 0.6, 0.4, in percent."""
    report = full_report(n_classes=5)
    failed = KdEdgeError("KD_GATE_SIZE", "too large")
    built = {0: seed_of(report, 0.5), 1: seed_of(report, 0.6, failed), 2: seed_of(report, 0.4)}
    summary = summarise("mine", built)
    assert (summary.seeds, summary.folders) == ((0, 1, 2), ("seed-0", "seed-1", "seed-2"))
    assert summary.failures == {1: ("too large",)}
    figure = next(
        f for f in summary.figures if (f.model, f.runtime, f.part) == (PRODUCT, "tflm", HONEST)
    )
    assert figure.accuracy.mean == pytest.approx(50.0)
    assert figure.accuracy.deviation == pytest.approx(statistics.stdev([50, 60, 40]))
    assert (figure.accuracy.lowest, figure.accuracy.highest) == pytest.approx((40.0, 60.0))
    assert figure.accuracy.values == pytest.approx((50.0, 60.0, 40.0))
    assert {f.leaky for f in summary.figures if f.part == LEAKY} == {True}


def test_ways_to_answer_are_set_beside_the_product_seed_by_seed():
    """Oracle: statistics.stdev of what each seed's report says; what one lacks is None."""
    report = full_report(n_classes=5)
    selection = report.selection
    first = selection.ways[0]
    figures = tuple(
        replace(figure, part=part, value=0.6, instructions=3000.0, elsewhere={"m55": None})
        for figure, part in zip(first.figures, (HONEST, LEAKY), strict=True)
    )
    parts = [
        replace(way, figures=tuple(map(renamed, way.figures, (HONEST, LEAKY))))
        for way in selection.ways
    ]
    one = replace(report, selection=replace(selection, ways=tuple(parts)))
    other = replace(
        report,
        selection=replace(selection, ways=(replace(first, figures=figures), *parts[1:])),
    )
    together = summarise("mine", {0: Built(one, ()), 1: Built(other, ())}).together
    assert (together.product, together.rule, together.unit) == ("both", "cascade", "instructions")
    assert [(way.kind, way.part) for way in together.ways[:3]] == [
        ("model", HONEST), ("model", LEAKY), ("model", HONEST),
    ]  # fmt: skip
    way = together.ways[0]
    assert (way.figure.mean, way.figure.deviation) == pytest.approx(
        (65, statistics.stdev([70, 60]))
    )
    assert way.ahead.values == pytest.approx((9.8, 19.8))
    assert way.cost == pytest.approx(2000.0)
    assert way.instructions == {"m4": 2000.0, "m55": None}
    oracle = together.ways[-1]
    assert (oracle.kind, oracle.leaky, oracle.cost) == ("oracle", True, None)
    table = ways_table(asdict(together)).splitlines()
    assert f" {HONEST}, % " in table[0]
    assert table[2] == "| small | 65.0 ± 7.1 | +14.8 ± 7.1 | 2,000 | – |"
    assert table[5].startswith("| **both** | 79.8 ± 0.0 | – | 3,000 | ")
    assert ways_table(None) == "Not measured."
    alone = replace(report, selection=None)
    assert summarise("mine", {0: Built(one, ()), 1: Built(alone, ())}).together is None


def renamed(figure, part):
    return replace(figure, part=part)


def test_a_gate_is_shown_with_each_seeds_verdict_and_its_worst_figure():
    report = full_report(n_classes=5)
    first, *rest = report.gates
    worse = replace(report, gates=(replace(first, value=9.0, verdict="failed"), *rest))
    summary = summarise("mine", {0: Built(report, ()), 1: Built(worse, ())})
    found = summary.gates[0]
    assert found.verdicts == ("held", "failed")
    assert found.worst.value == 9.0
    assert not [gate for gate in summary.gates if gate.worst.limit is None]


def test_each_seed_is_asked_for_with_its_own_folder(tmp_path, monkeypatch, capsys):
    """Oracle: what `build` is called with; a seed that fails a limit stops no other."""
    asked = []
    failed = KdEdgeError("KD_GATE_SIZE", "too large")

    def build(recipe, *, out, **rest):
        asked.append((recipe.seed, out.name))
        return seed_of(full_report(n_classes=5), 0.5, *([failed] if recipe.seed == 7 else []))

    monkeypatch.setattr("kd_edge.pipeline.seeds.build", build)
    recipe = tmp_path / "small.toml"
    recipe.write_text(SMALL)
    arguments = ["build", str(recipe), "--seed", "7", "--seeds", "3", "--out", str(tmp_path / "o")]
    assert run(arguments) == ExitStatus.GATE
    assert asked == [(7, "seed-7"), (8, "seed-8"), (9, "seed-9")]
    shown = capsys.readouterr()
    assert "too large" in shown.err
    assert "seeds 7, 8, 9" in shown.out
    assert "Ways to answer with the models of both" in shown.out
    assert json.loads((tmp_path / "o" / "seeds.json").read_text())["failures"] == {
        "7": ["too large"]
    }


@pytest.mark.slow
def test_seeds_are_built_into_folders_of_their_own(cache, tmp_path, capsys):
    """Oracle: the bundles' own reports and recipes."""
    recipe, out = tmp_path / "small.toml", tmp_path / "out"
    recipe.write_text(SMALL)
    arguments = ["build", str(recipe), "--seed", "5", "--seeds", "2", "--out", str(out)]
    assert run(arguments) == ExitStatus.OK
    assert "seeds 5, 6" in capsys.readouterr().out
    summary = json.loads((out / "seeds.json").read_text())
    assert summary["seeds"] == [5, 6]
    figure = next(f for f in summary["figures"] if f["format"] == "int8")
    for index, seed in enumerate(summary["seeds"]):
        bundle = out / f"seed-{seed}"
        load_manifest(bundle)
        assert load_recipe(bundle / "recipe.toml").seed == seed
        report = from_json((bundle / "report.json").read_text())
        row = next(r for r in report.rows if r.format == "int8" and r.runtime == figure["runtime"])
        found = 100 * row.accuracy[figure["part"]].accuracy
        assert figure["accuracy"]["values"][index] == pytest.approx(found)
        assert any(f"with seed {seed}" in caveat for caveat in report.caveats)
    models = [(out / f"seed-{seed}" / "student.keras").read_bytes() for seed in (5, 6)]
    assert models[0] != models[1]


def test_a_seed_that_is_out_of_range_is_bad_usage(tmp_path, capsys):
    recipe = tmp_path / "small.toml"
    recipe.write_text(SMALL)
    last = str(2**31 - 1)
    assert run(["build", str(recipe), "--seed", last, "--seeds", "2"]) == ExitStatus.USAGE
    assert run(["build", str(recipe), "--seeds", "1"]) == ExitStatus.USAGE
    assert run(["build", str(recipe), "--seed", "-1"]) == ExitStatus.USAGE
    capsys.readouterr()
