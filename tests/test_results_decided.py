"""Rows of results: rejection, events and wearers' layers, over people and seeds."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from build_samples import RECIPE
from results_samples import ROW, model, right, sample

from kd_edge.base.errors import ExitStatus
from kd_edge.cli import run
from kd_edge.pipeline.results.decided import OfPerson, Strange, decisions_of
from kd_edge.pipeline.results.figures import accuracy_at, spread_of
from kd_edge.pipeline.results.personal import Point, personal_points
from kd_edge.pipeline.results.rows import RowSettings, rests_on
from kd_edge.recipe import Decision, load_recipe, parse_recipe
from kd_edge.report import results_tree as tree
from kd_edge.report.results_decisions import coverage_table, events_table, personal_table
from kd_edge.report.results_table import TableRow, results_table
from kd_edge.report.results_tree import result_from_json, result_to_json
from kd_edge.tasks.events import EventScore
from kd_edge.tasks.rejection import measure_coverage


def test_accuracy_at_a_coverage_is_the_point_of_the_curve():
    """Oracle: the curve of `measure_coverage`, with many windows that are equally sure."""
    rng = np.random.default_rng(0)
    sureness, right = rng.integers(0, 12, 50) / 12, rng.random(50) < 0.7
    curve = measure_coverage(sureness, right)
    assert len(curve.points) > 8
    for point in curve.points:
        assert accuracy_at(sureness, right, point.coverage) == pytest.approx(point.accuracy)
    assert accuracy_at(sureness, right, 1.0) == right.mean()


def test_of_windows_that_are_equally_sure_none_comes_first():
    """Oracle: by hand: the surest one is right; of the two others half is, and one is wanted."""
    found = accuracy_at(np.array([0.9, 0.5, 0.5]), np.array([True, True, False]), 2 / 3)
    assert found == (1 + 0.5) / 2


def test_a_figure_is_the_mean_over_seeds_of_the_mean_over_people():
    """Oracle: by hand."""
    found = spread_of([{"A": 1.0, "B": 3.0}, {"A": 2.0, "B": 6.0}])
    assert (found.value, found.seeds) == (3.0, (2.0, 4.0))
    assert found.people == {"A": 1.5, "B": 4.5}
    assert found.deviation == pytest.approx(2**0.5)
    assert found.interval.low < 0, "minutes and seconds have no bound at 0 and 100 %"
    assert spread_of([{"A": 1.0}]).interval is None
    assert spread_of([{"A": 1.0}, {}]) is None


def person(**changes) -> OfPerson:
    score = EventScore(4, 3, 5, 2, 0.5, 0.75, 1.0)
    whole = OfPerson({"100": 60.0, "80": 70.0}, 90.0, 65.0, None, score, True)
    return replace(whole, **changes)


def test_decisions_are_means_over_people_and_who_has_no_figure_is_left_out():
    """Oracle: by hand. B answers nothing and finds no gesture: no accuracy, and no delay."""
    silent = EventScore(4, 0, 0, 0, 0.5, None, None)
    nobody = person(answered=0.0, answered_right=None, events=silent)
    found = decisions_of([{"A": person(), "B": nobody}], ())
    assert (found.answered.value, found.answered_right.value) == (45.0, 65.0)
    assert found.coverage["80"].value == 70.0
    assert (found.events.found.value, found.events.alarms_a_minute.value) == (37.5, 2.0)
    assert found.events.delay_s.people == {"A": 0.75}
    assert (found.events.gestures, found.events.minutes, found.events.has_rest) == (8, 1.0, True)
    assert found.unknown is None


def test_figures_stand_in_one_order_however_they_were_kept():
    """Oracle: the same figures with their names the other way round, as a store may give them."""
    areas = {"margin": 0.7, "confidence": 0.8, "distance": 0.9}

    def turned(names: dict) -> dict:
        return dict(reversed(list(names.items())))

    one = person(strange=Strange(40.0, areas))
    other = replace(one, strange=Strange(40.0, turned(areas)), coverage=turned(dict(one.coverage)))
    found, again = (
        replace(sample(), decisions=decisions_of([{"A": each}], ("x",))) for each in (one, other)
    )
    assert result_to_json(found) == result_to_json(again)


def test_unknown_gestures_are_told_with_their_names():
    strange = Strange(40.0, {"confidence": 0.8})
    found = decisions_of([{"A": person(strange=strange, events=None)}], ("word 18",))
    assert found.unknown.classes == ("word 18",)
    assert found.unknown.rejected.value == 40.0
    assert found.unknown.auroc["confidence"].value == 0.8
    assert found.events is None


def test_the_curve_of_wearers_layers_counts_how_often_they_are_taken():
    """Oracle: by hand; two seeds of one fold."""
    seeds = [
        [{1: Point(right([1, 0], ["A", "A"]), right([1, 1], ["A", "A"]), (True,))}],
        [{1: Point(right([1, 0], ["A", "A"]), right([1, 0], ["A", "A"]), (False,))}],
    ]
    (found,) = personal_points(seeds)
    assert (found.repetitions, found.taken) == (1, 0.5)
    assert (found.built.percent, found.personal.percent) == (50.0, 75.0)
    assert personal_points([]) == ()


def whole_result() -> tree.Result:
    strange = Strange(40.0, {"confidence": 0.8})
    decisions = decisions_of([{"A": person(strange=strange), "B": person(strange=strange)}], ("x",))
    mean = model(tree.STUDENT, 50.0).figures[tree.AS_WORN]
    point = tree.PersonalPoint(3, mean, replace(mean, percent=90.0), 0.75)
    return replace(sample(), decisions=decisions, personal=(point,))


def test_decisions_and_wearers_layers_read_back_as_they_were_written():
    found = whole_result()
    assert result_from_json(result_to_json(found), source="r.json") == found


def test_a_row_that_asks_for_neither_has_neither_in_its_file():
    kept = json.loads(result_to_json(sample()))
    assert kept.keys().isdisjoint({"decisions", "personal"})


def test_tables_show_what_rows_have_and_leave_out_the_others():
    rows = [TableRow.of(RowSettings(**ROW), one, "abc") for one in (whole_result(), sample(), None)]
    coverage = coverage_table(rows).splitlines()
    assert coverage[0].startswith("| set and split | right at 100 % | right at 80 % |")
    assert coverage[2:] == [
        "| R | 60.0 | 70.0 | 90.0: 65.0 | 40.0; area under ROC: confidence 0.80 |"
    ]
    cells = [cell.strip() for cell in events_table(rows).splitlines()[2].split("|")][1:-1]
    assert cells[:2] == ["R", "yes"]
    assert cells[2].startswith("75.0 [")
    assert cells[-1] == "8, 1"
    assert "| R | 3 | 50.0 | 90.0" in personal_table(rows)
    assert "not measured" in events_table(rows[1:])


def test_a_row_about_unknown_gestures_stands_in_tables_of_its_own():
    row = TableRow.of(RowSettings(**ROW, unknown=["word 18"]), whole_result(), "abc")
    assert len(results_table([row]).splitlines()) == 2
    assert "area under ROC" in coverage_table([row])


def test_the_decision_rule_counts_for_figures_of_decisions_alone(pytestconfig):
    """Oracle: the same recipe without the table."""
    recipe = load_recipe(pytestconfig.rootpath / "recipes" / "pjm.toml")
    other = recipe.model_copy(update={"decision": Decision(windows=9)})
    assert rests_on(recipe, decided=False) == rests_on(other, decided=False)
    assert rests_on(recipe, decided=True) != rests_on(other, decided=True)


def test_a_default_that_a_recipe_writes_out_changes_no_figure(pytestconfig):
    """So a key that is new in recipes does not either. Oracle: the text with and without it."""
    text = (pytestconfig.rootpath / "recipes" / "watch.toml").read_text(encoding="utf-8")
    given = {
        value: text.replace("length_s = 4.0", f'length_s = 4.0\narithmetic = "{value}"')
        for value in ("float32", "fixed")
    }
    plain, same, other = (
        rests_on(parse_recipe(each), decided=True) for each in (text, *given.values())
    )
    assert plain == same != other


def test_a_row_s_unknown_classes_are_no_classes_of_its_recipe(pytestconfig):
    recipe = load_recipe(pytestconfig.rootpath / "recipes" / "watch.toml", quick=True)
    asked = RowSettings(**ROW, unknown=["ROW"]).asked(recipe).dataset
    assert (asked.classes, asked.unknown_classes) == (("ABD", "PEN"), ("ROW",))
    assert RowSettings(**ROW).asked(recipe) is recipe


LDA_ALONE = (
    RECIPE[: RECIPE.index("[[teachers]]")].replace(
        "length_s = 2.7", "length_s = 1.35\nhop_s = 0.675"
    )
    + '[[students]]\nname = "plain"\nmodel = "lda"\noptions = { segments = 3 }\n'
    + '[decision]\nwindows = 2\nrest = "sign 01"\n'
    + RECIPE[RECIPE.index("[conversion]") :].replace("max_drop_points = 30.0\n", "")
)
ROWS = """
[[rows]]
name = "signs"
title = "Signs"
recipe = "tiny"
part = "unseen person"
personal = [0, 1, 4]
published = { note = "none" }

[[rows]]
name = "signs-unknown"
title = "Signs, another of them unknown"
recipe = "tiny"
part = "unseen person"
unknown = ["sign 03"]
published = { note = "none" }
"""


@pytest.mark.usefixtures("converter")
def test_a_row_tells_of_rejection_streams_and_wearers_layers(cache, tmp_path, capsys):
    """Oracles: the row's own figures of the student, and counting recordings by hand."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "tiny.toml").write_text(LDA_ALONE)
    (tmp_path / "rows.toml").write_text(ROWS)
    places = [f"--{name}={tmp_path / name}" for name in ("recipes", "work", "out")]
    asked = ["results", f"--rows={tmp_path / 'rows.toml'}", "--seeds=1", "--one-by-one", *places]
    assert run(asked) == ExitStatus.OK
    plain, other = (
        result_from_json((tmp_path / "out" / f"{name}.json").read_text(), source=name)
        for name in ("signs", "signs-unknown")
    )
    student = plain.models_of(tree.STUDENT)[0].figures[tree.AS_WORN]
    assert student.decisions == 3 * 10 * 3  # signs, repetitions, windows of a recording
    found = plain.decisions
    assert found.coverage["100"].value == pytest.approx(student.percent)
    assert [*found.coverage] == ["100", "90", "80", "70"]
    assert 50 < found.answered.value <= 100
    # Two of the three signs are gestures; the one of rest stands before each.
    assert (found.events.gestures, found.events.has_rest) == (20, True)
    assert found.events.minutes == pytest.approx(40 * 2.7 / 60)
    assert (found.unknown.classes, other.decisions.unknown.classes) == (("sign 04",), ("sign 03",))
    assert found.unknown.auroc.keys() == {"confidence", "margin", "distance"}
    assert [point.repetitions for point in plain.personal] == [0, 1, 4]
    none, one, four = plain.personal
    assert (none.built.percent, none.taken) == (pytest.approx(student.percent), 0)
    assert none.personal == none.built
    assert [p.personal.decisions for p in (none, one, four)] == [90, 81, 54]
    assert four.personal.percent >= four.built.percent - 5
    texts = [file.read_text() for file in sorted((tmp_path / "out").iterdir())]
    capsys.readouterr()
    assert run(asked) == ExitStatus.OK
    assert "work  " not in capsys.readouterr().err
    assert [file.read_text() for file in sorted((tmp_path / "out").iterdir())] == texts
