"""Teachers from files in a recipe: what is asked, what depends on them, and what is reported."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import onnx_files
from build_samples import RECIPE
from test_pipeline_training import DATA, examples, trained

from kd_edge import train_and_score
from kd_edge.base.errors import KdEdgeError
from kd_edge.cli import run
from kd_edge.distill.foreign.settings import TeacherFile
from kd_edge.examples.hashes import hex_digits, window_hashes
from kd_edge.pipeline import names
from kd_edge.pipeline.brought import checked_files
from kd_edge.pipeline.bundle import BundledTeacherFile, JoinedTeachers
from kd_edge.pipeline.names import check_names
from kd_edge.pipeline.teachers import lineage, teacher_files, teacher_rows, teachers_again
from kd_edge.recipe import load_recipe, parse_recipe, to_toml
from kd_edge.report import words

HEAD, TAIL = RECIPE[: RECIPE.index("[[teachers]]")], RECIPE[RECIPE.index("[distillation]") :]
FILE = '[[teachers]]\nname = "theirs"\nfile = "theirs.npz"\n'
STUDENT = """[[students]]
name = "student"
model = "tcn"
options = { blocks = 0, width = 4 }
epochs = 1
"""
ASKED = HEAD + FILE + STUDENT + TAIL


def write_logits(path, parts, *, turn=0):
    """The truth as logits of a sure teacher, one class further for each `turn`."""
    hashes = np.concatenate([hex_digits(window_hashes(part)) for part in parts])
    truth = np.concatenate([part.truth for part in parts])
    np.savez(path, hash=hashes, logits=9 * np.eye(3)[(truth + turn) % 3], classes=["a", "b", "c"])


def test_a_recipe_finds_its_files_beside_it_and_asks_for_the_same_elsewhere(tmp_path):
    """Oracle: the file's name is asked for, its folder is not; a written recipe reads back."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.toml").write_text(ASKED)
    one, two = (load_recipe(tmp_path / folder / "mine.toml") for folder in ("one", "two"))
    assert one.teachers[0].file == str(tmp_path / "one" / "theirs.npz")
    assert one.sha256 == two.sha256 == parse_recipe(ASKED).sha256
    assert parse_recipe(to_toml(one)) == one
    assert parse_recipe(ASKED.replace("theirs.npz", "other.npz")).sha256 != one.sha256
    assert [model.name for model in one.to_train] == ["student"]


@pytest.mark.parametrize(
    ("old", "new", "code", "told"),
    [
        ("file =", "flie =", "KD_RECIPE_KEY", "unknown key 'flie'"),
        ("file =", 'clases = ["a"]\nfile =', "KD_RECIPE_KEY", "did you mean 'classes'"),
        ("file =", "epochs = 3\nfile =", "KD_RECIPE_KEY", "unknown key 'epochs'"),
        ("theirs.npz", "theirs.onnx", "KD_RECIPE_VALUE", "name the file's classes"),
        ("[distillation]", "[augmentation]\ncopies = 1\ngain = 0.1\n[distillation]",
         "KD_RECIPE_VALUE", "teachers.0.file: a file of logits knows its windows as they are"),
        ('theirs.npz"', 'theirs.nzp"\nclasses = "same"', "KD_UNKNOWN_NAME", "did you mean '.npz'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_before_anything_is_read(old, new, code, told):
    with pytest.raises(KdEdgeError) as caught:
        check_names(parse_recipe(ASKED.replace(old, new, 1)))
    assert caught.value.code == code
    assert told in caught.value.message


def fold_of(held_out):
    return SimpleNamespace(**vars(DATA), fold=SimpleNamespace(held_out=held_out))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the file of a teacher that is always right."""
    monkeypatch.chdir(tmp_path)
    write_logits("theirs.npz", [DATA.lessons, DATA.validation, *DATA.tests.values()])
    return tmp_path


def test_a_student_is_trained_anew_when_its_teachers_file_is_another(here, monkeypatch):
    """Oracle: what the student was told: the file's logits; a copy elsewhere changes nothing."""
    data = fold_of(None)
    _, told = trained(here / "out", ASKED, monkeypatch, data)
    logits = 9 * np.eye(3)[data.lessons.truth]
    np.testing.assert_array_equal(told["student"].logits, logits)
    (here / "elsewhere").mkdir()
    (here / "elsewhere" / "copy.npz").write_bytes((here / "theirs.npz").read_bytes())
    moved = ASKED.replace("theirs.npz", "elsewhere/copy.npz")
    assert trained(here / "out", moved, monkeypatch, data)[1] == {}
    write_logits("theirs.npz", [data.lessons, data.validation, *data.tests.values()], turn=1)
    _, told = trained(here / "out", ASKED, monkeypatch, data)
    np.testing.assert_array_equal(told["student"].logits, np.roll(logits, 1, axis=1))


def test_each_fold_has_its_own_file_where_the_name_says_so(here):
    """Oracle: the files' names. A file of another fold that is missing is told at once."""
    recipe = parse_recipe(ASKED.replace("theirs.npz", "{held_out}.npz"))
    (here / "theirs.npz").rename("S1.npz")
    folds = [SimpleNamespace(held_out=name) for name in ("S1", "S2")]
    context = SimpleNamespace(recipe=recipe, data=fold_of("S1"), folds=folds)
    with pytest.raises(KdEdgeError, match="cannot read the file of the teacher 'theirs'") as caught:
        checked_files(context)
    assert caught.value.where == "S2.npz"
    (here / "S2.npz").touch()
    (file,) = checked_files(context)
    assert file.file == "S1.npz"
    context = SimpleNamespace(recipe=recipe, data=fold_of(None), folds=folds[:1])
    with pytest.raises(KdEdgeError, match="the split makes one fold"):
        checked_files(context)


def test_a_window_that_the_file_lacks_is_told_before_training(here):
    """Oracle: the test part is not in it."""
    write_logits("theirs.npz", [DATA.lessons, DATA.validation])
    context = SimpleNamespace(recipe=parse_recipe(ASKED), data=fold_of(None), folds=[None])
    with pytest.raises(KdEdgeError, match="lacks 6 of 6 windows of the unseen; the first is num"):
        checked_files(context)


def test_the_report_has_a_row_for_a_file_with_its_hash(here):
    """Oracle: the truth: every answer is right; the file's SHA-256."""
    context = SimpleNamespace(recipe=parse_recipe(ASKED), data=fold_of(None), folds=[None])
    (file,) = checked_files(context)
    logits = {"theirs": {n: file.opened.predict(part) for n, part in DATA.tests.items()}}
    answers = SimpleNamespace(stored=SimpleNamespace(logits=logits))
    manifest = SimpleNamespace(joined=(), teacher_files=teacher_files([file]))
    (row,) = teacher_rows(context, manifest, answers)
    theirs, ours = map(words.learnt, lineage(context, manifest, answers))
    assert theirs.startswith(f"theirs came as theirs.npz, SHA-256 {file.sha256}; what it was")
    assert ours == "student learnt from theirs"
    assert (row.model, row.role, row.architecture) == ("theirs", "teacher", "file of logits")
    assert row.accuracy["unseen"].accuracy == 1.0
    assert f"theirs.npz, SHA-256 {file.sha256}" in row.notes[0]


def test_a_network_from_a_file_is_asked_about_other_recordings_and_joins_again(here):
    """Oracle: NumPy's sum over the windows; the mean of it and of another teacher's logits."""
    pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(5)
    weights, bias = rng.normal(size=(96, 3)), rng.normal(size=3)
    (here / "big.onnx").write_bytes(onnx_files.linear(weights, bias, (4, 12, 2)))
    big = '[[teachers]]\nname = "big"\nfile = "big.onnx"\nclasses = "same"\ninputs = ["emg"]\n'
    recipe = parse_recipe(HEAD + FILE + big + STUDENT + TAIL)
    context = SimpleNamespace(recipe=recipe, data=fold_of(None), folds=[None])
    manifest = SimpleNamespace(
        teacher_files=teacher_files(checked_files(context)),
        joined=(
            JoinedTeachers("big + own", ("big", "own"), (0.5, 0.5), "mean-logits"),
            JoinedTeachers("teachers together", ("theirs", "big"), (0.5, 0.5), "mean-logits"),
        ),
        task="classification",
        class_names=("a", "b", "c"),
    )
    other = examples(30, 9)
    said = other.inputs["emg"].reshape(30, -1) @ weights + bias
    own = {"own": {"other": rng.normal(0, 9, size=(30, 3))}}
    rows, silent = teachers_again(manifest, recipe, own, {"other": other})
    assert [row.model for row in rows] == ["big", "big + own"]
    for row, logits in zip(rows, (said, (said + own["own"]["other"]) / 2), strict=True):
        assert row.accuracy["other"].accuracy == np.mean(logits.argmax(1) == other.truth)
    assert silent == [
        "The teacher 'theirs' was not measured: it is a file of logits, which knows its own "
        "windows alone.",
        "'teachers together' was not measured: theirs could not be asked.",
    ]
    (here / "big.onnx").write_bytes(onnx_files.linear(-weights, bias, (4, 12, 2)))
    rows, silent = teachers_again(manifest, recipe, own, {"other": other})
    assert rows == []
    assert "big.onnx is another file than at build time" in silent[1]
    stranger = parse_recipe(HEAD + FILE + STUDENT + TAIL)
    assert "names no such file" in teachers_again(manifest, stranger, own, {"other": other})[1][1]
    there = manifest.teacher_files[1]
    away = SimpleNamespace(
        **vars(manifest) | {"teacher_files": [replace(there, file="//host/share/big.onnx")]}
    )
    assert "another machine" in teachers_again(away, recipe, own, {"other": other})[1][0]
    (here / "big.onnx").unlink()
    assert "cannot read the file of the teacher 'big'" in teachers_again(
        manifest, recipe, own, {"other": other}
    )[1][1]  # fmt: skip


def test_without_keras_teachers_are_named_as_not_measured(monkeypatch):
    """As an installation for measuring alone has it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    manifest = SimpleNamespace(
        teacher_files=[BundledTeacherFile("big", "big.onnx", "0" * 64)],
        joined=[JoinedTeachers("teachers together", ("big", "own"), (0.5, 0.5), "mean-logits")],
    )
    rows, silent = teachers_again(manifest, parse_recipe(ASKED), {}, {})
    assert rows == []
    assert silent == [
        f"'{name}' was not measured: Keras is not installed here."
        for name in ("big", "teachers together")
    ]


def test_a_format_whose_package_is_missing_is_told_before_training(monkeypatch):
    with_onnx = parse_recipe(RECIPE.replace('"int8"]', '"int8", "onnx"]', 1))
    monkeypatch.setattr(names, "find_spec", lambda name: name)
    check_names(with_onnx)
    monkeypatch.setattr(names, "find_spec", lambda name: None if name == "tf2onnx" else name)
    with pytest.raises(KdEdgeError, match="the format 'onnx' needs the package 'tf2onnx'") as told:
        check_names(with_onnx)
    assert told.value.code == "KD_MISSING_PACKAGE"
    assert "kd-edge[onnx]" in told.value.hint


def test_an_older_bundle_says_that_it_does_not_know_how_its_teachers_were_asked():
    """A wearer's bundle has no teachers, and one teacher needs no joining."""
    recipe = parse_recipe(RECIPE)
    teacher, student = (SimpleNamespace(role=role) for role in ("teacher", "student"))

    def old(*models, joined=()):
        return SimpleNamespace(models=models, joined=joined, teacher_files=())

    (said,) = teachers_again(old(teacher, student), recipe, {}, {})[1]
    assert "build it again" in said
    both = JoinedTeachers("both", ("a", "b"), (0.5, 0.5), "mean-logits")
    assert (
        "build it again" not in teachers_again(old(teacher, joined=(both,)), recipe, {}, {})[1][0]
    )
    assert teachers_again(old(student), recipe, {}, {}) == ([], [])


def test_settings_of_a_file_are_part_of_what_its_answers_depend_on(here):
    context = SimpleNamespace(recipe=parse_recipe(ASKED), data=fold_of(None), folds=[None])
    (file,) = checked_files(context)
    settings = replace(file.settings, scores="probabilities")
    assert replace(file, settings=settings).digest != file.digest
    assert isinstance(settings, TeacherFile)


def test_windows_that_were_written_for_another_program_come_back_as_its_logits(tmp_path, capsys):
    """Oracle: the truth as logits: the teacher is always right, on every part."""
    recipe = tmp_path / "mine.toml"
    quick = "n_signs = 3, n_subjects = 3, n_repetitions = 10"
    recipe.write_text(ASKED.replace(quick, "n_signs = 3, n_subjects = 3, n_repetitions = 5"))
    out = tmp_path / "windows.npz"
    assert run(["data", "windows", str(recipe), "--out", str(out), "--no-cache"]) == 0
    assert "unseen person" in capsys.readouterr().out
    written = dict(np.load(out))
    assert set(written["part"]) == {"train", "validation", "test"}
    logits = 9 * np.eye(3)[written["truth"]]
    np.savez(
        tmp_path / "theirs.npz", hash=written["hash"], logits=logits, classes=written["classes"]
    )
    trial = train_and_score(load_recipe(recipe), cache=False)
    (teacher,) = trial.teachers
    assert {part: figure.value for part, figure in teacher.figures.items()} == {
        "unseen person": 1.0, "random split": 1.0,
    }  # fmt: skip
    assert (teacher.parameters, teacher.float32_bytes) == (None, None)
    assert teacher.file == tmp_path / "theirs.npz"
