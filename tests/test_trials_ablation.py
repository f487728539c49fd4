"""Ablations: which variants a recipe has, and what their differences say.

Oracles: recipes by hand, SciPy's and NumPy's arithmetic on small figures, and trainings one by one.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from build_samples import RECIPE

pytest.importorskip("tensorflow")

from adding import added
from eager import without_graphs
from sweep_samples import STUDENT, Told, hidden

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli import run as kd_edge_command
from kd_edge.distill.losses import LOSSES, make_loss
from kd_edge.models import MODELS
from kd_edge.pipeline.names import check_names
from kd_edge.pipeline.trial import train_and_score
from kd_edge.recipe import Recipe, parse_recipe
from kd_edge.report.ablation import (
    Ablation,
    AblationRow,
    Difference,
    ablation_page,
    points,
    verdict,
)
from kd_edge.report.json import from_json
from kd_edge.tasks import find_task
from kd_edge.tasks.figures import Interval
from kd_edge.trials.ablation import PartTally, ablate, compare
from kd_edge.trials.executors import HereExecutor
from kd_edge.trials.variants import AS_IT_IS, variants

WHOLE = RECIPE.replace("envelope_hz = 8.0", "envelope_hz = 8.0\nlog = true\nadapt = true") + (
    "[augmentation]\ncopies = 2\ngain = 0.2\n"
)


def named(recipe: Recipe) -> dict[str, Recipe]:
    found = variants(recipe)
    for variant in found:
        check_names(variant.recipe)
        # Each is a recipe that a file could hold.
        assert Recipe.model_validate(variant.recipe.model_dump(mode="json")) == variant.recipe
    return {variant.name: variant.recipe for variant in found}


def test_each_part_is_left_out_and_nothing_else_changes():
    """Oracle: the recipe's tables, by hand."""
    recipe = parse_recipe(WHOLE)
    found = named(recipe)
    assert list(found)[:5] == [
        AS_IT_IS,
        "labels alone",
        "without augmentation",
        "without adapt",
        "one teacher",
    ]
    base = found[AS_IT_IS]
    labels = found["labels alone"]
    assert labels.teachers == ()
    assert labels.distillation is None
    assert not labels.students[0].distill
    plain = found["without augmentation"]
    assert plain.augmentation.copies == 2
    assert plain.augmentation.options == {}
    assert plain.model_copy(update={"augmentation": base.augmentation}) == base
    still = found["without adapt"]
    assert still.front_end["emg"].log
    assert replace(base.front_end["emg"], adapt=None) == still.front_end["emg"]
    assert still.model_copy(update={"front_end": base.front_end}) == base
    one = found["one teacher"]
    assert [teacher.name for teacher in one.teachers] == ["emg-expert"]
    assert one.distillation.ensemble is None
    for variant in found.values():
        (student,) = variant.students
        assert (student.epochs, student.batch_size) == (30, 16)
        assert variant.split == base.split


def test_layers_of_a_teacher_are_left_out_alone_and_with_that_teacher():
    """Oracle: the recipe's tables, by hand; `named` reads each of them anew."""
    plain = parse_recipe(WHOLE)

    def taking(teacher):
        (student,) = plain.students
        student = student.model_copy(update={"layers_from": teacher})
        found = variants(plain.model_copy(update={"students": (student,)}))
        for variant in found:
            again = Recipe.model_validate(variant.recipe.model_dump(mode="json"))
            assert again == variant.recipe
        return {variant.name: variant for variant in found}

    first, second = taking("emg-expert"), taking("imu-expert")
    base, without = second[AS_IT_IS].recipe, second["without layers_from"].recipe
    assert base.students[0].layers_from == "imu-expert"
    assert without == variants(plain)[0].recipe
    assert second["labels alone"].recipe.students[0].layers_from is None
    assert first["one teacher"].recipe.students[0].layers_from == "emg-expert"
    assert "begins with no layer" not in first["one teacher"].what
    assert second["one teacher"].recipe.students[0].layers_from is None
    assert "It begins with no layer of 'imu-expert'." in second["one teacher"].what


def test_every_loss_that_needs_no_layers_stands_in_the_recipe_s_place():
    """Oracle: the registry: what a loss needs beyond its paper's options."""
    found = named(parse_recipe(WHOLE))
    losses = {name.removeprefix("loss ") for name in found if name.startswith("loss ")}
    assert "hinton" not in losses
    assert {"standardised", "dkd", "dist", "logit-mse"} <= losses
    assert not {"labels", "sum", "fitnets", "attention", "rkd", "crd"} & losses
    dkd = found["loss dkd"].distillation
    assert dkd.options == LOSSES["dkd"].published
    assert (dkd.alpha, dkd.ensemble) == (0.5, "mean-logits")


def test_published_options_are_options_of_their_loss():
    """Oracle: the loss itself, given the layers that it may need beside them."""
    layers = {"student_layer": "a", "teacher_layer": "b"}
    for name, kind in LOSSES.items():
        needs = {key: value for key, value in layers.items() if key in kind.model_fields}
        if kind.published:
            assert make_loss(name, {**kind.published, **needs})


def test_a_sum_of_losses_is_tried_without_each_term():
    terms = (
        'loss = "sum"\nterms = [{ loss = "hinton", temperature = 3.0, weight = 0.5 },'
        ' { loss = "logit-mse" }]'
    )
    found = named(parse_recipe(WHOLE.replace('loss = "hinton"\ntemperature = 3.0', terms)))
    assert found["loss without hinton"].distillation.options == {"terms": [{"loss": "logit-mse"}]}
    rest = found["loss without logit-mse"].distillation.options["terms"]
    assert rest == [{"loss": "hinton", "temperature": 3.0, "weight": 0.5}]
    assert "loss hinton" in found


def test_what_a_recipe_does_not_have_is_not_left_out():
    """Oracle: a student alone, without augmentation and normaliser."""
    alone = RECIPE[: RECIPE.index("[[teachers]]")] + STUDENT.replace("hidden", "tcn").replace(
        "options = { units = 4 }\n", ""
    )
    assert list(named(parse_recipe(alone))) == [AS_IT_IS]


def test_only_what_the_shipped_student_learns_from_is_trained():
    """Oracle: a student between teacher and student, and one beside them, by hand."""
    at = WHOLE.index("[decision]")
    student = WHOLE[WHOLE.index("[[students]]") : at]
    between = student.replace('"student"', '"between"') + 'teachers = ["imu-expert"]\n'
    beside = student.replace('"student"', '"beside"')
    last = student.replace('"student"', '"last"') + 'teachers = ["between"]\n'
    text = WHOLE[: WHOLE.index("[[students]]")] + between + beside + last + WHOLE[at:]
    found = named(parse_recipe(text + '[product]\nmodels = ["last"]\n'))
    base = found[AS_IT_IS]
    assert [model.name for model in base.teachers] == ["imu-expert"]
    assert [model.name for model in base.students] == ["between", "last"]
    assert [model.name for model in found["labels alone"].students] == ["last"]
    assert "one teacher" not in found


# --- differences ---


def part(shares, n, subjects):
    """Of shares that are right: seeds down, recordings across."""
    counts = np.broadcast_to(n, np.shape(shares))
    return PartTally(np.array(shares) * counts, counts, np.array(subjects))


def test_differences_are_paired_over_seeds_and_drawn_over_people():
    """Oracle: weighted means by hand; an interval that all people agree on is on one side of 0."""
    random = np.random.default_rng(3)
    subjects = np.repeat([f"S{i}" for i in range(10)], 6)
    n = random.integers(2, 9, 60)
    right = random.integers(0, n + 1, (3, 60))
    base, worse = part(right / n, n, subjects), part(0.8 * right / n, n, subjects)
    found = compare("x", worse, base, leaky=False)
    means = right.sum(axis=1) / n.sum()
    assert found.means == pytest.approx(0.8 * means)
    assert found.difference == pytest.approx(-0.2 * np.mean(means))
    assert found.deviation == pytest.approx(0.8 * np.std(means, ddof=1))
    assert found.deviation_of_difference == pytest.approx(0.2 * np.std(means, ddof=1))
    assert (found.over, found.n) == ("people", 10)
    assert found.interval.method == "bootstrap over people"
    assert found.interval.low <= found.difference <= found.interval.high < 0
    assert verdict(found) == "worse"
    itself = compare("x", base, base, leaky=False)
    assert (itself.difference, itself.interval, verdict(itself), points(itself)) == (
        0,
        None,
        "",
        "",
    )


def test_people_who_disagree_leave_no_telling():
    """Oracle: half of ten people gain what the other half lose."""
    subjects = [f"S{i}" for i in range(10)]
    base = part([[0.5] * 10] * 2, 20, subjects)
    found = compare("x", part([[0.3, 0.7] * 5] * 2, 20, subjects), base, leaky=False)
    assert found.difference == pytest.approx(0)
    assert found.interval.low < 0 < found.interval.high
    assert verdict(found) == "no telling"


@pytest.mark.parametrize(
    ("people", "drawn"), [(1, ("recordings", 6)), (4, ("recordings", 6)), (5, ("people", 5))]
)
def test_recordings_of_few_people_are_drawn(people, drawn):
    right = [[0.5, 1.0, 0.0, 0.5, 1.0, 0.5], [0.5, 0.5, 0.0, 1.0, 0.5, 0.0]]
    subjects = [f"S{i % people}" for i in range(6)]
    base, other = (part(right, 2, subjects) for _ in range(2))
    found = compare("x", other, base, leaky=False)
    assert (found.over, found.n) == drawn
    assert found.interval.low <= 0 <= found.interval.high


def test_a_random_part_has_other_recordings_with_each_seed():
    """Oracle: means by hand, of the recordings that each seed has."""
    n = np.array([[2, 0, 4], [2, 4, 0]])
    subjects = np.array(["S1", "S2", "S3"])
    base = PartTally(np.array([[1.0, 0, 2], [1, 2, 0]]), n, subjects)
    other = PartTally(np.array([[2.0, 0, 4], [2, 4, 0]]), n, subjects)
    found = compare("x", other, base, leaky=True)
    assert found.means == (1.0, 1.0)
    assert found.difference == pytest.approx(0.5)
    assert found.interval.high <= 1


def test_a_tally_counts_each_recording():
    """Oracle: three recordings by hand."""
    from kd_edge.examples import Examples, Groups

    groups = Groups(
        np.array([4, 4, 2, 7]), np.array(["B", "B", "A", "B"]), np.full(4, ""), np.full(4, ""),
        tuple("abcdefgh"),
    )  # fmt: skip
    examples = Examples({}, np.array([0, 1, 1, 0]), groups, ("x", "y"))
    logits = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    found = find_task("classification").tally(logits, examples)
    assert found.recordings == (2, 4, 7)
    assert found.subjects == ("A", "B", "B")
    assert found.right == (1.0, 1.0, 0.0)
    assert found.n == (1, 2, 1)


# --- trainings ---

TEACHER = STUDENT.replace("[[students]]", "[[teachers]]").replace('"student"', '"teacher"')
SMALL = (
    RECIPE[: RECIPE.index("[[teachers]]")].replace('["S3"]', '"each"')
    + TEACHER.replace("distill = false\n", "")
    + STUDENT.replace("distill = false\n", "")
    + '[distillation]\nloss = "logit-mse"\nalpha = 0.5\n'
    + RECIPE[RECIPE.index("[conversion]") :].replace('baselines = ["lda"]\n', "")
)


@pytest.fixture(scope="module")
def small(tmp_path_factory, converter):
    """The recipe; the cache is this file's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        with added((MODELS, "hidden", hidden)), without_graphs():
            yield parse_recipe(SMALL)


def without_losses(monkeypatch):
    """Two variants are enough to train."""
    monkeypatch.setattr("kd_edge.trials.variants._losses", lambda recipe: iter(()))


def test_an_ablation_has_the_figures_of_trainings_one_by_one(small, monkeypatch):
    """Oracle: `train_and_score` in each fold with each seed; three people are few."""
    without_losses(monkeypatch)
    told = Told()
    each = HereExecutor(None, watch=told)
    found = ablate(small, (1, 2), data=None, executor=each, watch=told)
    assert [row.name for row in found.rows] == [AS_IT_IS, "labels alone"]
    assert found.folds == ("without S1", "without S2", "without S3")
    assert "ablation 12 of 12: labels alone, seed 2, without S3" in told.notes
    (first, *_) = found.rows[0].parts
    assert (first.part, first.over) == ("unseen person", "recordings")
    trials = [train_and_score(small, seed=1, fold=fold) for fold in ("S1", "S2", "S3")]
    figures = [trial.students[0].figures["unseen person"] for trial in trials]
    assert first.n == sum(figure.n_recordings for figure in figures)
    right = sum(figure.value * figure.n_windows for figure in figures)
    assert first.means[0] == pytest.approx(right / sum(f.n_windows for f in figures))
    again = Told()
    finished = HereExecutor(None, watch=again)
    assert ablate(small, (1, 2), data=None, executor=finished, watch=again) == found
    assert again.epochs == {}


def test_a_variant_that_cannot_be_trained_is_named(small, monkeypatch):
    without_losses(monkeypatch)
    broken = small.students[0].model_copy(update={"options": {"units": -1}})
    recipe = small.model_copy(update={"students": (broken,)})
    for executor, name in ((None, AS_IT_IS), (HereExecutor(None), "as it is, seed 1")):
        with pytest.raises(KdEdgeError) as caught:
            ablate(recipe, (1, 2), data=None, executor=executor)
        assert caught.value.where.startswith(name)


def test_bench_ablates_a_bundle_s_recipe(small, tmp_path, monkeypatch, capsys):
    """Oracle: the report, which the JSON, the page and the terminal show."""
    without_losses(monkeypatch)
    recipe, out, page = tmp_path / "small.toml", tmp_path / "out", tmp_path / "page.html"
    recipe.write_text(SMALL.replace('"each"', '["S3"]'))
    kd_edge_command(["build", str(recipe), "--out", str(out)])
    capsys.readouterr()
    command = ["bench", str(out), "--ablate", "--seeds", "2"]
    assert kd_edge_command([*command, "--html", str(page), "--json"]) == ExitStatus.OK
    report = from_json(capsys.readouterr().out)
    assert report.ablation.seeds == (1, 2)
    assert [row.name for row in report.ablation.rows] == [AS_IT_IS, "labels alone"]
    assert json.loads((out / "report.json").read_text())["ablation"] is None
    text = page.read_text(encoding="utf-8")
    assert 'id="ablation"' in text
    assert "The student learns from the labels alone." in text
    assert points(report.ablation.rows[1].parts[0]) in text
    assert kd_edge_command(command) == ExitStatus.OK
    shown = capsys.readouterr().out
    assert "Ablation" in shown
    assert "labels alone" in shown


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--ablate", "--data", "x"], "give one of them"),
        (["--seeds", "3"], "--seeds belongs to --ablate"),
        (["--workers", "2"], "--workers belongs to --ablate"),
        (["--ablate", "--workers", "2", "--ray", "auto"], "give one of them"),
    ],
)
def test_options_that_do_not_go_together_are_bad_usage(tmp_path, capsys, options, said):
    assert kd_edge_command(["bench", str(tmp_path), *options]) == ExitStatus.USAGE
    assert said in capsys.readouterr().err


def test_a_page_shows_a_line_for_each_variant_on_its_most_honest_part():
    def difference(part, *, leaky=False, points=0.0, bounds=None):
        interval = bounds and Interval(*bounds, 0.95, "by hand")
        return Difference(part, leaky, (0.5, 0.7), 0.6, 0.14, points, 0.1, interval, "people", 3)

    plain = AblationRow("as it is", "nothing", (difference("day"), difference("x", leaky=True)))
    told = difference("day", points=-0.2, bounds=(-0.3, -0.1))
    labels = AblationRow("labels alone", "no teachers", (told,))
    page = ablation_page({"mine": Ablation("student", (0, 1), ("all",), (plain, labels))})
    assert page.splitlines()[2:] == [
        "| mine | day | as it is | 60.0 ± 14.0 | - |  |",
        "| mine | day | labels alone | 60.0 ± 14.0 | -20.0 [-30.0 to -10.0] | worse |",
    ]
