"""Results: figures over people and seeds, rows, their JSON and the tables made of it."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest
from results_samples import ROW, results_tool, right, sample

from kd_edge import train_fleet
from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli import run
from kd_edge.pipeline.results.figures import decided, gain_of, mean_of, shares_of
from kd_edge.pipeline.results.rows import RowSettings, load_rows
from kd_edge.recipe import load_recipe
from kd_edge.report import results_tree as tree
from kd_edge.report.results_table import NOT_MEASURED, TableRow, orders_table, results_table
from kd_edge.report.results_tree import result_from_json, result_to_json
from kd_edge.runtimes.registry import ORACLE
from kd_edge.splits import Fold, SplitPart

# --- figures ---


def test_each_window_decides_for_itself_without_a_vote():
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    found, last = decided(shares, np.array([0, 0, 1]), np.array([0, 0, 1]), votes=1)
    assert found.tolist() == [True, False, False]
    assert last.tolist() == [0, 1, 2]


def test_a_vote_is_the_largest_mean_share_of_the_last_windows_of_one_recording():
    """Oracle: by hand. Two windows a vote; the second recording has one window alone."""
    shares = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]])
    found, last = decided(shares, np.array([0, 0, 0, 1]), np.array([4, 4, 4, 7]), votes=2)
    assert last.tolist() == [1, 2, 3]
    assert found.tolist() == [True, False, True]


def test_a_vote_over_a_recording_gives_one_decision_for_each():
    shares = np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.2, 0.8]])
    found, last = decided(shares, np.array([0, 0, 0, 0]), np.array([0, 0, 0, 1]), votes=None)
    assert last.tolist() == [2, 3]
    assert found.tolist() == [True, False]


def test_shares_are_probabilities_also_of_large_logits():
    """Oracle: softmax of (0, ln 3) is (1/4, 3/4)."""
    found = shares_of(np.array([[0.0, np.log(3)], [1e4, 1e4 + np.log(3)]], np.float64))
    np.testing.assert_allclose(found, [[0.25, 0.75]] * 2, rtol=1e-6)


def test_each_person_counts_alike_however_many_windows_there_are():
    """Oracle: by hand. One has 1 of 1, the other 1 of 4: the mean is 62.5 %, not 40 %."""
    found = mean_of([right([1, 1, 0, 0, 0], ["A", "B", "B", "B", "B"])])
    assert found.people == {"A": 100.0, "B": 25.0}
    assert found.percent == 62.5
    assert found.decisions == 5
    assert found.deviation is None


def test_seeds_give_mean_and_deviation_and_people_the_interval():
    """Oracle: by hand, and Student's t of two degrees of freedom, 4.302653 (any table)."""
    people = ["A", "A", "B", "B", "C", "C"]
    seeds = [right([1, 0, 1, 1, 0, 0], people), right([1, 1, 1, 1, 0, 0], people)]
    found = mean_of(seeds)
    assert found.seeds == (50.0, pytest.approx(200 / 3))
    assert found.percent == pytest.approx((50 + 200 / 3) / 2)
    assert found.deviation == pytest.approx((200 / 3 - 50) / 2**0.5)
    assert found.people == {"A": 75.0, "B": 100.0, "C": 0.0}
    half = 4.302653 * np.std([75, 100, 0], ddof=1) / 3**0.5
    assert half > 60
    assert (found.interval.low, found.interval.high) == (0.0, 100.0)
    near = mean_of([right([1] * 9 + [0], ["A"] * 10), right([1] * 10, ["A"] * 10)])
    assert near.interval.method == "bootstrap over recordings"


def test_an_interval_over_people_is_students():
    """Oracle: by hand; 40, 50 and 60 %, t = 4.302653."""
    values = [1] * 4 + [0] * 6 + [1] * 5 + [0] * 5 + [1] * 6 + [0] * 4
    found = mean_of([right(values, ["A"] * 10 + ["B"] * 10 + ["C"] * 10)]).interval
    assert found.low == pytest.approx(50 - 4.302653 * 10 / 3**0.5, abs=1e-4)
    assert found.high == pytest.approx(50 + 4.302653 * 10 / 3**0.5, abs=1e-4)


def test_a_gain_is_paired_over_seeds_and_people():
    """Oracle: by hand. A gains 50 and 0, B 0 and 50, C 100 and 50; Student's t = 4.302653."""
    people = ["A", "A", "B", "B", "C", "C"]
    ones = [right([1, 1, 1, 0, 1, 1], people), right([1, 0, 1, 1, 1, 0], people)]
    others = [right([1, 0, 1, 0, 0, 0], people), right([1, 0, 1, 0, 0, 0], people)]
    found = gain_of(ones, others)
    assert found.seeds == (50.0, pytest.approx(100 / 3))
    assert found.people == {"A": 25.0, "B": 25.0, "C": 75.0}
    assert found.points == pytest.approx(125 / 3)
    half = 4.302653 * np.std([25, 25, 75], ddof=1) / 3**0.5
    assert found.interval.low == pytest.approx(125 / 3 - half, abs=1e-4)
    assert gain_of(others, ones).interval.low == pytest.approx(-found.interval.high, abs=1e-4)


def test_a_gain_of_one_person_is_drawn_over_recordings():
    ones, others = right([1] * 20, ["A"] * 20), right([1, 0] * 10, ["A"] * 20)
    found = gain_of([ones], [others])
    assert found.points == 50.0
    assert 0 < found.interval.low < 50 < found.interval.high < 100


def test_one_person_who_is_always_right_still_has_an_interval():
    """Oracle: Wilson's bound of 4 of 4, n / (n + z²)."""
    found = mean_of([right([1] * 8, ["A"] * 8, [0, 0, 1, 1, 2, 2, 3, 3])]).interval
    assert found.method == "Wilson"
    assert found.low == pytest.approx(100 * 4 / (4 + 1.959964**2), abs=1e-4)


def test_seeds_may_test_other_recordings():
    """Oracle: by hand; a random split holds out others with another seed."""
    found = mean_of([right([1, 0], ["A", "B"]), right([1, 1, 1], ["A", "A", "A"], [7, 8, 9])])
    assert found.people == {"A": 100.0, "B": 0.0}
    assert found.seeds == (50.0, 100.0)


# --- rows ---


def fold(name, n):
    part = SplitPart("p", "test", "leave-one-subject-out", np.arange(n), None, 0)
    return Fold(f"without {name}", part, part, (part,), held_out=name)


FOLDS = [fold("A", 3), fold("B", 9), fold("C", 5)]


@pytest.mark.parametrize(
    ("more", "names"),
    [({}, "ABC"), ({"largest": 2}, "BC"), ({"people": ["C", "A"]}, "AC"), ({"largest": 3}, "ABC")],
)
def test_a_row_has_all_folds_the_largest_or_those_of_people(more, names):
    row = RowSettings(**ROW, **more)
    assert [one.held_out for one in row.folds(FOLDS)] == list(names)


@pytest.mark.parametrize("more", [{"largest": 4}, {"people": ["D"]}])
def test_a_row_of_people_whom_the_data_lack_is_refused(more):
    with pytest.raises(KdEdgeError, match="whom the data lack"):
        RowSettings(**ROW, **more).folds(FOLDS)


def test_a_single_fold_stays_as_it_is():
    only = replace(FOLDS[0], held_out=None)
    assert RowSettings(**ROW, largest=4).folds([only]) == (only,)


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("rows = [", "KD_RECIPE_SYNTAX", "TOML"),
        ("rows = []", "KD_RECIPE_VALUE", "at least 1"),
        ("[[rows]]\nname = 'a'", "KD_RECIPE_VALUE", "required"),
        (
            "[[rows]]\nname='a'\ntitle='A'\nrecipe='r'\npart='p'\nlargest=2\npeople=['S']\n"
            "published={note='-'}",
            "KD_RECIPE_VALUE",
            "both choose folds",
        ),
    ],
)
def test_rows_that_are_wrong_say_where(tmp_path, text, code, said):
    (tmp_path / "rows.toml").write_text(text)
    with pytest.raises(KdEdgeError, match=said) as caught:
        load_rows(tmp_path / "rows.toml")
    assert caught.value.code == code
    assert "rows.toml" in caught.value.where


def test_a_row_of_no_such_name_shows_the_nearest(capsys):
    assert run(["results", "wach"]) == ExitStatus.USAGE
    assert "did you mean 'watch'" in capsys.readouterr().err


def test_every_row_fits_its_recipe(pytestconfig):
    """Oracle: the recipe, and the names of people in none but a row that is of one."""
    root = pytestconfig.rootpath
    for row in load_rows(root / "results" / "rows.toml"):
        recipe = load_recipe(root / "recipes" / f"{row.recipe}.toml")
        assert row.part in [part.title for part in recipe.split.test]
        assert row.student in (None, *[student.name for student in recipe.students])
        if recipe.images is None:
            assert {"lda", "random-forest"} <= set(recipe.proof.baselines)
            assert any(student.model.startswith("seed-") for student in recipe.students)


# --- JSON and tables ---


@pytest.mark.parametrize("page", ["README.md", "docs/results.md", "docs/public-projects.md"])
def test_the_tables_of_a_page_are_those_of_the_json_files(page, pytestconfig):
    """Oracle: docs/make_results.py, which writes them."""
    maker = results_tool(pytestconfig.rootpath)
    kept = (pytestconfig.rootpath / page).read_text(encoding="utf-8")
    assert "generated by docs/make_results.py" in kept
    assert kept == maker.with_tables(kept, maker.table_rows()), "run python docs/make_results.py"


def test_every_json_file_is_a_row_and_says_what_it_was_made_of(pytestconfig):
    folder = pytestconfig.rootpath / "results"
    rows = {row.name: row for row in load_rows(folder / "rows.toml")}
    for path in folder.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        result = result_from_json(text, source=path.name)
        assert result_to_json(result) == text
        assert (result.row, result.form) == (path.stem, "whole")
        few = f"{len(result.seeds)} seeds" in rows[path.stem].title
        assert len(result.seeds) >= (3 if few else 5)  # a title says that there are fewer
        assert (result.part, result.vote) == (rows[path.stem].part, rows[path.stem].vote)


def test_a_result_reads_back_as_it_was_written():
    assert result_from_json(result_to_json(sample()), source="r.json") == sample()


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.update(schema_version=99),
        lambda found: found.pop("models"),
        lambda found: found["models"][0]["figures"]["as worn"].update(percent="high"),
        lambda found: found.clear(),
    ],
)
def test_what_is_no_row_of_results_is_refused(change):
    found = json.loads(result_to_json(sample()))
    change(found)
    with pytest.raises(KdEdgeError) as caught:
        result_from_json(json.dumps(found), source="r.json")
    assert (caught.value.code, caught.value.where) == ("KD_BAD_FORMAT", "r.json")


def test_the_table_shows_a_row_s_figures_and_says_what_was_not_measured():
    row = RowSettings(**ROW, goal="90")
    measured, missing = (TableRow.of(row, one, "abc") for one in (sample(), None))
    lines = results_table([measured, missing]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert cells[0] == [
        *(
            "R",
            "90",
            "**50.0** [0 to 100]; 2.0 below its teacher",
            "51.0",
            "no teacher",
            "52.0",
            "40.0",
            "41.0",
            "53.0",
            "-",
            "2,345",
        )
    ]
    assert cells[1] == ["R", "90", *[NOT_MEASURED] * 7, "-", NOT_MEASURED]
    assert "| R | 50.0 | 9.0 |" in orders_table([measured, missing])


@pytest.mark.parametrize(
    ("person", "told"),
    [("S1", "days 0 67"), ("", "Testing 0, Training 67")],
)
def test_sessions_are_days_of_a_person_and_named_folders_of_images(person, told):
    """Oracle: three answers of one session, two of them right, and one of another."""
    of = right([1, 1, 0, 0], [person] * 4)
    mean = mean_of([replace(of, session=np.array(["Training"] * 3 + ["Testing"]))])
    student, *others = sample().models
    student = replace(student, figures={tree.AS_WORN: mean})
    row = TableRow.of(RowSettings(**ROW), replace(sample(), models=(student, *others)), "abc")
    assert f"| **50.0** [0 to 100]; {told}; 2.0 below its teacher |" in results_table([row])


@pytest.mark.parametrize(
    ("percent", "said"),
    [(49.0, ""), (50.04, ""), (50.06, "; 0.1 below LDA"), (53.0, "; 3.0 below LDA")],
)
def test_the_table_says_whom_the_student_is_behind(percent, said):
    """Oracle: by hand; the student has 50.0 and its teacher 50.0."""
    found = []
    for model in sample().models:
        figures = dict(model.figures)
        at = {"lda": percent, "random-forest": 12.0}.get(model.name)
        at = 50.0 if model.column == tree.TEACHER else at
        if at is not None:
            figures[tree.AS_WORN] = replace(figures[tree.AS_WORN], percent=at)
        found.append(replace(model, figures=figures))
    row = TableRow.of(RowSettings(**ROW), replace(sample(), models=tuple(found)), "abc")
    assert f"| **50.0** [0 to 100]{said} |" in results_table([row])


def test_the_table_says_if_figures_are_quick_or_a_former_recipe_s():
    row = RowSettings(**ROW)
    assert TableRow.of(row, sample(), "abc").label == "R"
    assert "before its recipe changed" in TableRow.of(row, sample(), "other").label
    assert "mean nothing" in TableRow.of(row, replace(sample(), form="quick"), "abc").label


# --- a row, made in its quick form ---


@pytest.mark.usefixtures("converter")
def test_rows_are_made_kept_and_made_again_the_same(cache, pytestconfig, tmp_path, capsys):
    """Oracle: the figures of `train_fleet`, which scores the same models by itself."""
    if importlib.util.find_spec("seglearn") is None:
        pytest.skip("the set 'watch' is not installed: pip install 'kd-edge[watch]'")
    root = pytestconfig.rootpath
    asked = ["results", "watch", "watch-vote", "--quick", "--seeds", "1", "--json"]
    places = [("--rows", root / "results" / "rows.toml"), ("--work", tmp_path / "work")]
    asked += [str(part) for place in places for part in place]
    assert run(asked) == ExitStatus.OK
    said = json.loads(capsys.readouterr().out)
    files = [tmp_path / "work" / "quick" / f"{name}.json" for name in ("watch", "watch-vote")]
    texts = [file.read_text() for file in files]
    assert [json.loads(text) for text in texts] == said
    plain, vote = (result_from_json(text, source="") for text in texts)
    assert [m.column for m in plain.models] == [
        *(tree.STUDENT, tree.FLOAT, tree.LABELS, tree.TEACHER, tree.SEED),
        *(tree.BASELINE, tree.BASELINE),
    ]
    assert (plain.form, plain.seeds, plain.people) == ("quick", (0,), ("09",))
    recipe = load_recipe(root / "recipes" / "watch.toml", quick=True)
    (trial,) = train_fleet(recipe, seeds=[0]).trials
    for column, scored in ((tree.FLOAT, trial.students[0]), (tree.TEACHER, trial.teachers[0])):
        (found,) = plain.models_of(column)
        figure = scored.figures["unseen person"]
        assert found.figures[tree.AS_WORN].percent == pytest.approx(100 * figure.value)
        assert found.figures[tree.AS_WORN].decisions == figure.n_windows
    assert vote.models[0].figures[tree.AS_WORN].decisions == figure.n_recordings
    (student, alone) = (plain.models_of(column)[0].figures for column in (tree.FLOAT, tree.LABELS))
    assert plain.distillation.points == pytest.approx(
        student[tree.AS_WORN].percent - alone[tree.AS_WORN].percent
    )
    assert plain.models[0].bytes < 40_960
    assert all(parity.right.runtime == ORACLE for parity in plain.parity)
    for file in files:
        file.unlink()
    assert run(asked) == ExitStatus.OK
    assert "work  " not in capsys.readouterr().err
    assert [file.read_text() for file in files] == texts


@pytest.mark.parametrize(("board", "said"), [("qemu-an3", "did you mean"), ("pico", "real board")])
def test_a_board_that_cannot_be_asked_is_told_before_any_work(board, said, pytestconfig, capsys):
    rows = str(pytestconfig.rootpath / "results" / "rows.toml")
    assert run(["results", "watch", "--rows", rows, "--board", board]) == ExitStatus.USAGE
    assert said in capsys.readouterr().err


def test_sets_that_are_not_there_are_told_before_any_work(pytestconfig, tmp_path, capsys):
    rows = str(pytestconfig.rootpath / "results" / "rows.toml")
    asked = ["results", "watch", "pjm", "--rows", rows, "--sets", str(tmp_path)]
    assert run(asked) == ExitStatus.BAD_DATA
    assert "the row 'pjm' needs recordings" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.usefixtures("converter")
def test_an_emulated_board_answers_as_tflite_micro_for_one_fold(cache, pytestconfig, tmp_path):
    """Oracle: TFLite Micro on this host, every score of every window."""
    if importlib.util.find_spec("seglearn") is None:
        pytest.skip("the set 'watch' is not installed: pip install 'kd-edge[watch]'")
    rows = str(pytestconfig.rootpath / "results" / "rows.toml")
    asked = ["results", "watch", "--rows", rows, "--quick", "--seeds", "1"]
    asked += ["--work", str(tmp_path), "--board", "qemu-an386"]
    assert run(asked) == ExitStatus.OK
    board = result_from_json((tmp_path / "quick" / "watch.json").read_text(), source="").board
    assert (board.board, board.windows) == ("qemu-an386", board.same)
    assert board.windows >= 32
