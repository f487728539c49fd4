"""Searches: what is tried, scored, given up and written, and that no test part is looked at.

One space of small dense models on synthetic signs. Every figure is real.
"""

from __future__ import annotations

import json
import tomllib

import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("optuna")

from adding import added
from eager import without_graphs
from sweep_samples import ALONE, SPACE, Told, hidden, recipe_file, run

import kd_edge
from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.base.formats import SHIPPED
from kd_edge.cli import run as kd_edge_command
from kd_edge.convert.tflite import to_tflite
from kd_edge.models import MODELS, build_model
from kd_edge.pipeline.context import prepare
from kd_edge.pipeline.inside import Inside, folds_inside
from kd_edge.pipeline.trial import train_and_score
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Budget, load_recipe, load_search, with_values
from kd_edge.report.search_html import render_search
from kd_edge.report.search_tree import SearchTrial, best_of, front_of
from kd_edge.signals.recording import RecordingInfo
from kd_edge.splits import HoldOut, Split, make_folds
from kd_edge.trials.cost import Cost, beyond
from kd_edge.trials.job import Job, run_job
from kd_edge.trials.search import BEST_FILE, PAGE_FILE, RESULT_FILE
from kd_edge.trials.study import JOURNAL_FILE, Study


@pytest.fixture(scope="module")
def file(tmp_path_factory, converter):
    """The recipe with its space; the cache is this file's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        with added((MODELS, "hidden", hidden)), without_graphs():
            yield recipe_file(tmp_path_factory.mktemp("recipe"))


@pytest.fixture(scope="module")
def found(file, tmp_path_factory):
    """A whole search: its result, its folder and what its watch was told."""
    out, told = tmp_path_factory.mktemp("search"), Told()
    return run(file, out, told=told), out, told


def test_a_search_ends_in_scores_and_in_a_recipe_that_builds(found, file):
    """Oracle: one training more of the best recipe, scored by `train_and_score`."""
    report, out, _ = found
    assert [trial.state for trial in report.trials].count("complete") == len(report.trials) == 4
    best = report.trial(report.best)
    recipe = load_recipe(out / BEST_FILE)
    assert recipe == with_values(load_recipe(file), best.values)
    again = [
        train_and_score(recipe, seed=seed, inside=Inside()).students[0].figures["validation"].value
        for seed in (1, 2)
    ]
    assert list(best.scores) == again
    assert best.score == pytest.approx(sum(again) / 2)
    assert best.score == max(trial.score for trial in report.trials)
    assert json.loads((out / RESULT_FILE).read_text())["best"] == report.best
    assert report.to_json() + "\n" == (out / RESULT_FILE).read_text()


def test_no_figure_of_a_test_part_is_computed(found):
    """Oracle: the stages that were asked for; a trial of the test parts has others."""
    _, _, told = found
    scored = {name for name in told.done if name.startswith("accuracy of")}
    assert scored == {"accuracy of student.keras on validation"}


def test_the_recipe_itself_is_the_first_trial(found):
    report, _, _ = found
    assert report.trials[0].values == {
        "students.student.options.units": 4,
        "students.0.learning_rate": 0.01,
    }


def test_the_bytes_before_training_are_those_after_it(found, tmp_path):
    """Oracle: the converter, on the best recipe's model after its training."""
    report, out, _ = found
    recipe = load_recipe(out / BEST_FILE)
    places = {"command": "", "cache": True, "watch": Watch(), "same_on_any_cores": True}
    context = prepare(recipe, None, tmp_path, **places)
    training = context.data.training
    network = build_model(
        "hidden",
        input_shapes=training.input_shapes,
        n_classes=3,
        seed=1,
        options=recipe.students[0].options,
    )
    order, windows = tuple(training.inputs), training.inputs
    keras = pytest.importorskip("keras")
    network.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.train_on_batch(list(windows.values()), training.truth)
    network.save(tmp_path / "m.keras")
    done = to_tflite(
        tmp_path / "m.keras", tmp_path / "m.tflite", fmt=SHIPPED, input_order=order,
        calibration=windows,
    )  # fmt: skip
    assert done.file_bytes == report.trial(report.best).int8_bytes


def test_the_page_and_the_table_show_every_trial(found, capsys):
    report, out, _ = found
    page = (out / PAGE_FILE).read_text(encoding="utf-8")
    assert page == render_search(report)
    assert "Score against bytes" in page
    assert page.count("students.0.learning_rate = ") == 4


def test_an_interrupted_search_goes_on_and_tries_the_same_again(file, found, tmp_path):
    """Oracle: the whole search: the same values and scores, though one trial was cut off."""
    whole, _, _ = found
    with pytest.raises(KeyboardInterrupt):
        run(file, tmp_path, told=Told(stop_at="trial 1:"))
    cut = Told()
    original = cut.stage

    def killed(name, cached):
        original(name, cached)
        if name == "train student":
            raise KeyboardInterrupt

    cut.stage = killed
    with pytest.raises(KeyboardInterrupt):
        run(file, tmp_path, told=cut)
    told = Told()
    report = run(file, tmp_path, told=told)
    assert "goes on; 1 that were interrupted are tried again" in told.notes
    assert len(report.trials) == 4
    assert [t.values for t in report.trials][:3] == [t.values for t in whole.trials][:3]
    assert [t.score for t in report.trials][:3] == [t.score for t in whole.trials][:3]
    # What was trained once is not trained again, here or in another search.
    assert told.epochs.total() <= 2 * 2
    again = Told()
    assert run(file, tmp_path, told=again).trials == report.trials
    assert again.notes == []


def test_a_student_beyond_the_budget_is_not_trained(file, found, tmp_path):
    """Oracle: the sizes that the whole search found: only the smallest is allowed."""
    sizes = sorted({trial.int8_bytes for trial in found[0].trials})
    told = Told()
    report = run(file, tmp_path, told=told, budget=Budget(int8_bytes=sizes[0]), trials=2)
    states = {trial.state for trial in report.trials}
    assert states == {"complete", "over budget"}
    for trial in report.trials:
        assert (trial.state == "complete") == (trial.int8_bytes <= sizes[0])
        assert (trial.score is None) == (trial.state == "over budget")
        assert trial.scores == () or trial.state == "complete"


def test_a_budget_that_nothing_keeps_ends_the_command_as_a_gate(file, tmp_path, capsys):
    tight = recipe_file(tmp_path, SPACE + "[search.budget]\nint8_bytes = 10\n")
    status = kd_edge_command(
        ["search", str(tight), "--out", str(tmp_path / "out"), "--trials", "1", "--json"]
    )
    shown = capsys.readouterr()
    assert status == ExitStatus.GATE
    assert "none of 10 trials keeps to the budget" in shown.err
    result = json.loads(shown.out)
    assert result["best"] is None
    assert {trial["state"] for trial in result["trials"]} == {"over budget"}
    assert not (tmp_path / "out" / BEST_FILE).exists()


def test_a_trial_that_fails_is_noted_and_the_others_go_on(file, tmp_path):
    """Oracle: what the model refuses when it is built."""
    path = recipe_file(
        tmp_path, '[search]\ntrials = 4\n[search.space]\n"students.0.options.units" = [-1, 3, 5]\n'
    )
    told = Told()
    report = run(path, tmp_path / "out", told=told)
    states = [trial.state for trial in report.trials]
    assert "failed" in states
    assert "complete" in states
    assert all(t.reason for t in report.trials if t.state == "failed")
    assert any("failed:" in note for note in told.notes)


def test_an_option_that_the_model_does_not_have_is_refused_before_any_work(file, tmp_path):
    path = recipe_file(tmp_path, '[search.space]\n"students.0.options.unit" = [3, 5]\n')
    with pytest.raises(KdEdgeError) as caught:
        run(path, tmp_path / "out")
    assert caught.value.code == "KD_RECIPE_KEY"
    assert "did you mean 'units'" in caught.value.message
    assert "search.space, students.0.options.unit = 3" in caught.value.where


def test_epochs_that_do_not_promise_enough_end_a_training(file):
    """Oracle: a judge that has enough after the second of nine epochs."""
    recipe = with_values(load_recipe(file), {"students.0.epochs": 9, "students.0.batch_size": 8})
    told, heard = Told(), []

    def judge(epoch, value):
        heard.append((epoch, 0 <= value <= 1))
        return epoch == 2

    job = Job("one", recipe, seed=1, inside=Inside(), judged="student")
    outcome = run_job(job, None, cache=False, watch=told, judge=judge)
    assert (outcome.trial, outcome.error) == (None, None)
    assert heard == [(1, True), (2, True)]
    assert told.epochs == {"student": 2}


@pytest.mark.parametrize("pruner", ["median", "halving", "none"])
def test_a_trial_below_those_before_it_is_given_up(file, tmp_path, pruner):
    """Oracle: five trials that end at 0.9, then one that begins at 0.1."""
    _, asked = load_search(file)
    study = Study(tmp_path, asked.model_copy(update={"pruner": pruner}), name="x", seed=1)
    for _ in range(5):
        trial, _ = study.ask()
        for step in range(1, 6):
            assert not study.report(trial, step, 0.9 + step / 1000)
        study.complete(trial, 0.9)
    trial, _ = study.ask()
    given_up = [study.report(trial, step, 0.1) for step in range(1, 6)]
    assert any(given_up) == (pruner != "none")


# --- folds inside the training part ---


def test_what_is_scored_inside_holds_nothing_of_the_test_parts(file):
    """Oracle: sets of recordings, for each way to set some apart."""
    recipe = load_recipe(file)
    recordings = kd_edge.simulate(kd_edge.SignSettings(**recipe.dataset.options))
    infos = [recording.info() for recording in recordings]
    (outer,) = make_folds(infos, recipe.split, seed=1)
    tests = {int(i) for part in outer.tests for i in part.indices}
    people = HoldOut(kind="leave-one-subject-out", held_out="each")
    for score, n in ((None, 1), (people, 2), (HoldOut(kind="random", fraction=0.3), 1)):
        folds = folds_inside(infos, outer, recipe, score)
        assert len(folds) == n
        for fold in folds:
            parts = [set(part.indices.tolist()) for part in (fold.train, *fold.tests)]
            assert not tests & set().union(*parts, fold.validation.indices.tolist())
            assert not parts[0] & parts[1]
            if score is not None:
                assert not set(fold.validation.indices.tolist()) & parts[1]
    scored = {infos[i].subject for fold in folds_inside(infos, outer, recipe, people)
              for i in fold.tests[0].indices}  # fmt: skip
    assert scored == {"S1", "S2"}


def test_people_validate_and_score_in_turn_inside_a_fold_for_each(file):
    """Oracle: subjects by hand: the fold without S1 of five people, whose next one validates."""
    split = Split(
        test=(HoldOut(kind="leave-one-subject-out", held_out="each"),),
        validation=HoldOut(kind="leave-one-subject-out", held_out="next"),
    )
    recipe = load_recipe(file).model_copy(update={"split": split})
    infos = [
        RecordingInfo(f"{s}{x}", x, s, "day 1", 1, None, False, f"{s}{x}")
        for s in ("S1", "S2", "S3", "S4", "S5")
        for x in "ab"
    ]
    outer = make_folds(infos, split, seed=1)[0]

    def people(score):
        return [
            [{infos[i].subject for i in part.indices} for part in (*fold.tests, fold.validation)]
            for fold in folds_inside(infos, outer, recipe, score)
        ]

    assert people(None) == [[{"S2"}, {"S2"}]]
    assert people(HoldOut(kind="leave-one-subject-out", held_out=("S4",))) == [[{"S4"}, {"S2"}]]
    each = HoldOut(kind="leave-one-subject-out", held_out="each")
    turns = [("S2", "S3"), ("S3", "S4"), ("S4", "S5"), ("S5", "S2")]
    assert people(each) == [[{one}, {other}] for one, other in turns]


def test_a_person_that_is_not_inside_is_named(file, tmp_path):
    score = 'score = { kind = "leave-one-subject-out", held_out = ["S3"] }\n'
    path = recipe_file(tmp_path, SPACE.replace("seeds = 2\n", score))
    with pytest.raises(KdEdgeError) as caught:
        run(path, tmp_path / "out")
    assert caught.value.code == "KD_RECIPE_VALUE"
    assert "search.score holds out 'S3'" in caught.value.message


def test_people_inside_are_folds_of_a_trial(file, tmp_path):
    """Oracle: `train_and_score` with each of them held out in turn."""
    score = 'score = { kind = "leave-one-subject-out", held_out = "each" }\n'
    path = recipe_file(tmp_path, SPACE.replace("seeds = 2\n", score).replace("4", "1", 1))
    report = run(path, tmp_path / "out")
    (trial,) = report.trials
    apart = load_search(path)[1].score
    recipe = with_values(load_recipe(path), trial.values)
    expected = [
        train_and_score(recipe, inside=Inside(apart, who)).students[0].figures
        for who in ("S1", "S2")
    ]
    assert trial.scores == tuple(figures["leave-one-subject-out"].value for figures in expected)
    assert report.trainings == 2


# --- the journal ---


def test_a_line_that_was_torn_by_a_kill_is_dropped(file, found, tmp_path):
    """Oracle: the study as it was before that line."""
    report, out, _ = found
    journal = (out / JOURNAL_FILE).read_bytes()
    (tmp_path / JOURNAL_FILE).write_bytes(journal + b'{"op_code": 5, "worker')
    (tmp_path / f"{JOURNAL_FILE}.lock").symlink_to(JOURNAL_FILE)
    assert run(file, tmp_path).trials == report.trials


@pytest.mark.parametrize(
    "content", [b"not json\n", b"{}\n", b'{"op_code": 99}\n', b"[]\n", b"\xff\n"]
)
def test_a_journal_that_is_none_is_told_and_left_alone(file, tmp_path, content):
    (tmp_path / JOURNAL_FILE).write_bytes(content)
    with pytest.raises(KdEdgeError) as caught:
        run(file, tmp_path)
    assert caught.value.code == "KD_BAD_FORMAT"
    assert (tmp_path / JOURNAL_FILE).read_bytes() == content


def test_another_space_begins_another_study_in_the_same_folder(file, found, tmp_path):
    """Oracle: the first trial is the recipe's own again."""
    (tmp_path / JOURNAL_FILE).write_bytes((found[1] / JOURNAL_FILE).read_bytes())
    path = recipe_file(tmp_path, SPACE.replace("[2, 4, 8]", "[2, 4]"))
    report = run(path, tmp_path, trials=1)
    assert len(report.trials) == 1
    assert report.trials[0].values["students.student.options.units"] == 4


# --- small parts ---


def trial(number, score, size, state="complete"):
    return SearchTrial(number, state, {}, score, (), size, None, None, None, "")


def test_the_front_is_what_nothing_else_beats_in_both():
    """Oracle: five trials by hand."""
    trials = [
        trial(0, 0.5, 100),
        trial(1, 0.7, 300),
        trial(2, 0.4, 200),
        trial(3, 0.7, 250),
        trial(4, None, 10, "pruned"),
        trial(5, 0.5, 100),
    ]
    assert front_of(trials) == (0, 3)
    assert best_of(trials) == 3
    assert best_of(trials[4:5]) is None
    assert front_of([]) == ()


def test_what_is_limited_and_not_known_is_beyond_the_budget():
    """Oracle: shares by hand."""
    cost = Cost(int8_bytes=150, arena_bytes=None, macs=10, instructions=None)
    assert beyond(cost, Budget(int8_bytes=100, macs=10)) == {"int8_bytes": 0.5}
    assert beyond(cost, Budget(instructions=5, core="m4")) == {"instructions": 1.0}
    assert beyond(cost, Budget()) == {}


def test_a_core_whose_speed_nobody_measured_is_refused(file, tmp_path):
    path = recipe_file(tmp_path, SPACE + '[search.budget]\ninstructions = 5\ncore = "host"\n')
    with pytest.raises(KdEdgeError, match="was not measured"):
        run(path, tmp_path / "out")


def test_a_product_of_several_students_is_refused(file, tmp_path):
    second = ALONE[ALONE.index("[[students]]") : ALONE.index("[conversion]")]
    two = ALONE + second.replace('"student"', '"other"', 1)
    product = '[product]\nmodels = ["student", "other"]\nrule = "average"\nname = "both"\n'
    with pytest.raises(KdEdgeError, match="ships several"):
        run(recipe_file(tmp_path, SPACE, two + product), tmp_path / "out")


def test_the_manual_s_example_is_a_search(pytestconfig):
    """Oracle: what reads the table."""
    text = (pytestconfig.rootpath / "docs" / "search.md").read_text(encoding="utf-8")
    example = text.split("```toml\n")[1].split("```")[0]
    assert tomllib.loads(example)["search"]["space"]
