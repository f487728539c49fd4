"""Who learns from whom: teachers, assistants, generations, and what a change of one makes anew."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tomli_w

pytest.importorskip("tensorflow")

from build_samples import RECIPE

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill import trainer
from kd_edge.distill.teaching import Teaching
from kd_edge.distill.trainer import History
from kd_edge.examples import Examples, Groups
from kd_edge.models.grid import Grid
from kd_edge.models.keras_start import load_keras
from kd_edge.pipeline.names import check_networks
from kd_edge.pipeline.stages import Stages
from kd_edge.pipeline.teachers import joined_teachers, lineage, teacher_rows
from kd_edge.pipeline.training import FoldTrainer, predictor
from kd_edge.recipe import parse_recipe
from kd_edge.report import words

MODELS = """
[[teachers]]
name = "large"
model = "tcn"
options = { blocks = 1, width = 8 }
epochs = 1
[[teachers]]
name = "assistant"
model = "tcn"
options = { blocks = 1, width = 4 }
teachers = ["large"]
epochs = 1
[[students]]
name = "student"
model = "tcn"
options = { blocks = 0, width = 4 }
teachers = ["assistant"]
epochs = 1
[[students]]
name = "again"
model = "tcn"
options = { blocks = 0, width = 4 }
teachers = ["student", "large"]
epochs = 1
[distillation]
"""
CHAIN = RECIPE[: RECIPE.index("[[teachers]]")] + MODELS + RECIPE.split("[distillation]")[1]


def examples(n, seed):
    rng = np.random.default_rng(seed)
    shapes = {"emg": (4, 12, 2), "imu": (4, 12, 3)}
    return Examples(
        inputs={name: rng.normal(size=(n, *shape)).astype("f4") for name, shape in shapes.items()},
        truth=np.arange(n) % 3,
        groups=Groups.each([f"r{i}" for i in range(n)], subject="S1"),
        class_names=("a", "b", "c"),
    )


DATA = SimpleNamespace(
    key="k",
    training=examples(12, 1),
    lessons=examples(12, 1),
    validation=examples(9, 2),
    watched=examples(9, 2),
    tests={"unseen": examples(6, 3)},
    input_rates_hz={"emg": 20.0, "imu": 20.0},
    input_channels={},
)


def trained(out, text, monkeypatch, data=DATA):
    """Every model of a recipe, and what each that was made now was told by its teachers.

    In place of an epoch of training each weight moves by what was told: the mean, made small.
    """
    told = {}

    def train(network, *arguments, name, teacher, **settings):
        told[name] = teacher
        moved = 1.0 if teacher is None else np.arcsinh(teacher.logits.mean()) / 10
        network.set_weights([weight + moved for weight in network.get_weights()])
        return History((), (), (), (), ())

    return run_fold(out, text, monkeypatch, train, data), told


def untrained(out, text):
    """A recipe's context on the sample windows, before anything is trained."""
    return SimpleNamespace(
        recipe=parse_recipe(text), stages=Stages(out),
        dataset=SimpleNamespace(examples=DATA.training),
    )  # fmt: skip


def run_fold(out, text, monkeypatch, train, data=DATA):
    """Every model of a recipe by name; `train` stands in for the trainer's."""
    monkeypatch.setattr(trainer, "train", train)
    context = SimpleNamespace(
        recipe=parse_recipe(text), stages=Stages(out), out=out, home=out,
        watch=SimpleNamespace(epoch=None), same_on_any_cores=True,
    )  # fmt: skip
    fold = FoldTrainer(context, data)
    teachers = fold.teachers()
    return {model.name: model for model in (*teachers, *fold.students(teachers))}


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """An output folder, and what its models were told when they were trained."""
    out = tmp_path_factory.mktemp("chain")
    with pytest.MonkeyPatch.context() as monkeypatch:
        return out, *trained(out, CHAIN, monkeypatch)


def test_each_model_hears_the_teachers_that_it_names(chain):
    """Oracle: what the named models on disk say to the training windows."""
    out, models, told = chain
    assert list(told) == ["large", "assistant", "student", "again"]
    assert told["large"] is None
    heard = {"assistant": ["large"], "student": ["assistant"], "again": ["student", "large"]}
    for name, teachers in heard.items():
        said = [predictor(load_keras(out / models[t].file))(DATA.training) for t in teachers]
        for ours, theirs in zip(told[name].teachers, said, strict=True):
            np.testing.assert_allclose(ours.logits, theirs, atol=1e-5)
        np.testing.assert_allclose(told[name].logits, np.mean(said, axis=0), atol=1e-5)
    assert [models[n].role for n in ("assistant", "student")] == ["teacher", "student"]


@pytest.mark.parametrize(
    ("old", "new", "anew"),
    [
        ("", "", []),
        ("width = 8", "width = 12", ["large", "assistant", "student", "again"]),
        ('["student", "large"]', '["large", "student"]', ["again"]),
        ('["assistant"]', '["large"]', ["student", "again"]),
    ],
)
def test_a_change_makes_anew_what_learns_from_it_and_nothing_else(
    chain, old, new, anew, tmp_path, monkeypatch
):
    """Oracle: the chain of teachers by hand."""
    shutil.copytree(chain[0], tmp_path / "out")
    _, told = trained(tmp_path / "out", CHAIN.replace(old, new, 1), monkeypatch)
    assert list(told) == anew


def test_the_report_names_teachers_that_were_dropped():
    """Oracle: a teacher that is right and one that is surely wrong."""
    tests = {"unseen": DATA.tests["unseen"]}
    text = CHAIN.replace("ensemble =", "drop_teachers = true\nensemble =")

    def said(shift, size):
        of = {"validation": DATA.validation, **tests}
        return {n: (size * np.eye(3)[(part.truth + shift) % 3]) for n, part in of.items()}

    logits = {"student": said(1, 9.0), "large": said(0, 2.0)}
    answers = SimpleNamespace(
        stored=SimpleNamespace(logits=logits),
        validation=SimpleNamespace(logits=logits, parts={"validation": DATA.validation}),
    )
    context = SimpleNamespace(recipe=parse_recipe(text), data=SimpleNamespace(tests=tests))
    manifest = SimpleNamespace(joined=joined_teachers(context, answers), teacher_files=())
    (row,) = teacher_rows(context, manifest, answers)
    assert row.model == "student + large"
    assert row.accuracy["unseen"].accuracy == 1.0
    assert row.notes == (
        "without student: the validation part is decided rightly by 0.0 % with it, 100.0 % "
        "without it",
    )
    assert [words.learnt(each) for each in lineage(context, manifest, answers)] == [
        "large learnt from the labels alone",
        "assistant learnt from large",
        "student learnt from assistant",
        "again learnt from large, without student, which made the others decide worse",
    ]


MANUAL = Path(__file__).resolve().parents[1] / "docs" / "recipes.md"


def manual(heading):
    """A recipe with the example of the manual behind those words; its models are small."""
    text = MANUAL.read_text(encoding="utf-8")
    example = re.search(r"```toml\n(.*?)```", text[text.index(heading) :], re.DOTALL)[1]
    tables = tomllib.loads(CHAIN) | {"teachers": []} | tomllib.loads(example)
    tables["distillation"].pop("drop_teachers", None)  # who is dropped, others show
    for model in (*tables["teachers"], *tables["students"]):
        model |= {"model": "tcn", "options": {"blocks": 0, "width": 4}}
    return tables


@pytest.mark.parametrize(
    ("heading", "heard"),
    [
        (
            "**Many teachers, one student.**",
            {"student": ("tcn-1", "tcn-2", "tcn-3", "tcn-4", "tcn-5", "wide")},
        ),
        ("**Experts.**", {"student": ("emg-expert", "imu-expert")}),
        ("**A teaching assistant**", {"assistant": ("large",), "student": ("assistant",)}),
        (
            "**Born-again generations**",
            {"student-2": ("student-1",), "student": ("student-2",)},
        ),
    ],
)
def test_the_examples_of_the_manual_teach_as_they_say(heading, heard, tmp_path, monkeypatch):
    """Oracle: the manual's own words; the others learn from the labels alone."""
    text = tomli_w.dumps(manual(heading))
    recipe = parse_recipe(text)
    models, told = trained(tmp_path, text, monkeypatch)
    taught = {m.name: recipe.teachers_of(m) for m in recipe.to_train}
    assert {name: names for name, names in taught.items() if names} == heard
    assert {name: len(said.teachers) for name, said in told.items() if said} == {
        name: len(names) for name, names in heard.items()
    }
    assert list(told) == list(models)


def test_the_patient_example_asks_its_teacher_in_every_step(tmp_path, monkeypatch):
    """Oracle: the paper: what both see is the same, mixtures too; the teachers alone; a cosine."""
    tables = manual("### Patient and consistent")
    tables["teachers"] = [tables["students"][0] | {"name": "wide"}]
    given = {}

    def train(network, lessons, validation, settings, *, name, teacher, **others):
        given[name] = settings, teacher
        return History((), (), (), (), ())

    run_fold(tmp_path, tomli_w.dumps(tables), monkeypatch, train)
    settings, teacher = given["student"]
    assert isinstance(teacher, Teaching)
    assert settings.augmentation.copies == 3
    kinds = [type(change).__name__ for change in settings.augmentation.augmentations]
    assert kinds == ["Gain", "Shift", "Mix"]
    assert (settings.epochs, settings.patience) == (600, None)
    assert settings.learning_rate_decay == "cosine"
    assert [term.weight for term in settings.loss.terms] == [0, 1]


def test_a_layer_that_a_loss_names_is_looked_for_before_anything_is_trained(tmp_path):
    """Oracle: the error, its nearest name; nothing is built or kept."""
    hint = 'loss = "fitnets"\nstudent_layer = "emg_stem_relu"\nteacher_layer = "block_0_rela"\n'
    text = CHAIN.replace('loss = "hinton"\ntemperature = 3.0\n', hint)
    context = untrained(tmp_path, text)
    with pytest.raises(KdEdgeError) as caught:
        check_networks(context)
    assert caught.value.code == "KD_RECIPE_VALUE"
    assert "the teacher 'large' has no layer 'block_0_rela'" in caught.value.message
    assert "did you mean 'block_0_relu'" in caught.value.message


def test_a_student_begins_with_the_layers_of_its_teacher(tmp_path, monkeypatch):
    """Oracle: the teacher's kernel, moved as `trained` says; layers of other sizes are its own."""
    student = 'options = { blocks = 0, width = 4 }\nteachers = ["assistant"]'
    assert CHAIN.count(student) == 1
    text = CHAIN.replace(student, f'{student}\nlayers_from = "assistant"')
    models, told = trained(tmp_path / "taking", text, monkeypatch)
    taking, assistant = (
        load_keras(tmp_path / "taking" / models[n].file) for n in ("student", "assistant")
    )
    moved = np.arcsinh(told["student"].logits.mean()) / 10
    models, _ = trained(tmp_path / "fresh", CHAIN, monkeypatch)
    fresh = load_keras(tmp_path / "fresh" / models["student"].file)

    def beyond(network, layer):
        """How far its kernel is from the teacher's after the same move."""
        ours, theirs = (n.get_layer(layer).get_weights()[0] for n in (network, assistant))
        return np.abs(ours - (theirs + moved)).max()

    for layer in ("emg_stem_conv", "imu_stem_conv"):
        assert beyond(taking, layer) < 1e-6
        assert beyond(fresh, layer) > 1e-2


def test_layers_that_no_teacher_has_are_told_before_any_training(tmp_path):
    small = 'model = "tcn"\noptions = { blocks = 0, width = 4 }\nteachers = ["assistant"]'
    other = 'model = "seed-single-student"\noptions = { units = 4, kernel = 3, pool = 2 }'
    taking = f'{other}\nteachers = ["assistant"]\nlayers_from = "assistant"'
    text = CHAIN.replace(small, taking)
    with pytest.raises(
        KdEdgeError, match="no layer of 'seed_single_student' has the name"
    ) as caught:
        check_networks(untrained(tmp_path, text))
    assert caught.value.code == "KD_RECIPE_VALUE"
    assert caught.value.where == "the model 'student', layers_from"


# --- fine-tuned behind int8's rounding ---

AWARE = """
[[students]]
name = "rounded"
aware = { of = "student", weight_bits = 4 }
epochs = 1
"""
TUNED = CHAIN.replace("[distillation]", f"{AWARE}[distillation]").replace(
    'formats = ["float32", "int8"]', 'formats = ["float32", "int8", "int8x4"]'
)


def test_a_student_behind_rounding_starts_from_the_float_one_and_hears_it(
    chain, tmp_path, monkeypatch
):
    """Oracle: the float student's weights, moved as `trained` says; 15 steps of 4 bits."""
    shutil.copytree(chain[0], tmp_path / "out")
    models, told = trained(tmp_path / "out", TUNED, monkeypatch)
    assert list(told) == ["rounded"]
    assert models["rounded"].aware_of == "student"
    assert models["student"].aware_of is None
    start, made = (load_keras(tmp_path / "out" / models[n].file) for n in ("student", "rounded"))
    said = predictor(start)(DATA.training)
    np.testing.assert_allclose(told["rounded"].logits, said, atol=1e-5)
    moved = np.arcsinh(said.mean()) / 10
    kernel, bias = start.get_layer("logits").get_weights()
    tuned, offset = made.get_layer("logits").get_weights()
    step = np.abs(kernel + moved).max() / 7
    assert np.abs(tuned - (kernel + moved)).max() <= 0.51 * step
    np.testing.assert_allclose(np.rint(tuned / step), tuned / step, atol=1e-4)
    np.testing.assert_allclose(offset, bias + moved, atol=step)
    assert any(isinstance(layer, Grid) for layer in made.layers)


@pytest.mark.parametrize(
    ("old", "new", "anew"),
    [
        ("", "", []),
        ("weight_bits = 4", "weight_bits = 8", ["rounded"]),
        ("weight_bits = 4", 'weight_bits = 4, ranges = "learned"', ["rounded"]),
        ("calibration_windows = 16", "calibration_windows = 20", ["rounded"]),
        ('["assistant"]', '["large"]', ["student", "again", "rounded"]),
    ],
)
def test_it_is_made_anew_when_what_it_starts_from_is_another(
    tuned, old, new, anew, tmp_path, monkeypatch
):
    """Oracle: by hand: its own settings, the calibration, and the float student."""
    assert TUNED.count(old) >= 1
    shutil.copytree(tuned, tmp_path / "out")
    _, told = trained(tmp_path / "out", TUNED.replace(old, new, 1), monkeypatch)
    assert list(told) == anew


@pytest.fixture(scope="module")
def tuned(chain, tmp_path_factory):
    """The chain's output folder with the rounded student as well."""
    out = tmp_path_factory.mktemp("tuned") / "out"
    shutil.copytree(chain[0], out)
    with pytest.MonkeyPatch.context() as monkeypatch:
        trained(out, TUNED, monkeypatch)
    return out


def test_a_student_that_cannot_be_tuned_so_is_refused_before_anything_is_trained(tmp_path):
    """Oracle: the error, with the model's and the layer's name."""
    small = 'model = "tcn"\noptions = { blocks = 0, width = 4 }'
    options = "options = { units = 4, kernel = 3, pool = 2 }"
    text = TUNED.replace(small, f'model = "seed-single-student"\n{options}', 1)
    context = untrained(tmp_path, text)
    with pytest.raises(KdEdgeError, match="lstm") as caught:
        check_networks(context)
    assert caught.value.code == "KD_UNSUPPORTED_OP"
    assert "the model 'rounded'" in caught.value.where
