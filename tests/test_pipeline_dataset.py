"""From a recipe's dataset to windows: what is read, what is checked, what is remembered."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from kd_edge.base import sources
from kd_edge.base.errors import KdEdgeError
from kd_edge.pipeline import dataset as datasets
from kd_edge.pipeline.dataset import check_reader
from kd_edge.pipeline.raw_windows import read_counts, write_counts
from kd_edge.pipeline.store import user_store
from kd_edge.recipe import parse_recipe

RECIPE = """
name = "mine"
[dataset]
reader = "folder"
CLASSES
[front_end.emg]
[windows]
length_s = 1.0
inputs = { all = ["emg"] }
[split]
validation = { kind = "random", fraction = 0.1 }
[[split.test]]
kind = "random"
fraction = 0.1
[[students]]
name = "student"
model = "tcn"
epochs = 3
distill = false
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def load_dataset(asked, folder, **rest):
    """As a build does: with the user's store."""
    return datasets.load_dataset(asked, folder, store=user_store(), **rest)


def recipe(classes: str | None = None):
    return parse_recipe(RECIPE.replace("CLASSES", f"classes = {classes}" if classes else ""))


def write_csv(path: Path, value: float, *, stuck: bool = False) -> None:
    numbers = np.full(100, value) if stuck else value + np.arange(100) / 1000
    rows = "\n".join(f"{number:.4f}" for number in numbers)
    path.write_text(f"# rate_hz = 100\nemg_1 (mV)\n{rows}\n")


@pytest.fixture
def folder(tmp_path):
    """Two recordings of 'a', one of 'b', and a stuck one of 'rest'."""
    root = tmp_path / "data"
    root.mkdir()
    rows = ["file,label,subject,session,trial"]
    for index, label in enumerate(("a", "a", "b", "rest")):
        write_csv(root / f"{index}.csv", index, stuck=label == "rest")
        rows.append(f"{index}.csv,{label},S1,day 1,{index}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return root


def test_a_mended_front_end_is_not_served_windows_of_the_old_one(folder, tmp_path, monkeypatch):
    """Oracle: what a second and a third reading say; the third's front end has another line."""
    told = []

    def read():
        load_dataset(recipe('["b", "a"]'), folder, progress=lambda what, *_: told.append(what))
        return "windows from the cache" in told

    assert not read()
    assert read()
    copied = shutil.copytree(sources.ROOT / "kd_edge", tmp_path / "code" / "kd_edge").parent
    monkeypatch.setattr(sources, "ROOT", copied)
    assert read(), "the folder of the code does not count"
    told.clear()
    sources._module.cache_clear()
    sources._digest.cache_clear()
    mended = copied / "kd_edge" / "frontend" / "filters.py"
    mended.write_text(mended.read_text() + "\nMENDED = True\n")
    assert not read()


def test_recordings_of_classes_that_are_left_out_are_not_checked(folder):
    """Oracle: only the recording of 'rest' is stuck."""
    assert len(load_dataset(recipe('["b", "a"]'), folder).examples) == 3
    with pytest.raises(KdEdgeError, match="stuck"):
        load_dataset(recipe(), folder)


def test_other_recordings_are_cut_down_to_the_recipes_classes_before_they_are_compared(folder):
    found = load_dataset(recipe('["b", "a"]'), folder, class_names=("b", "a"))
    assert found.examples.class_names == ("b", "a")
    with pytest.raises(KdEdgeError) as caught:
        load_dataset(recipe('["b", "a"]'), folder, class_names=("b", "c"))
    assert "label 'a' is unknown" in caught.value.message


def test_other_recordings_without_any_class_of_the_recipe_are_refused(folder):
    with pytest.raises(KdEdgeError) as caught:
        load_dataset(recipe('["x", "y"]'), folder, class_names=("x", "y"))
    assert caught.value.code == "KD_LABELS"


def test_unknown_classes_are_left_out_and_must_be_labels_of_the_dataset(folder):
    asked = parse_recipe(RECIPE.replace("CLASSES", 'unknown_classes = ["rest"]'))
    assert load_dataset(asked, folder).examples.class_names == ("a", "b")
    wrong = parse_recipe(RECIPE.replace("CLASSES", 'unknown_classes = ["rests"]'))
    with pytest.raises(KdEdgeError, match="did you mean 'rest'") as caught:
        load_dataset(wrong, folder)
    assert caught.value.where.startswith("dataset.unknown_classes")
    # Other recordings need not hold them.
    found = load_dataset(
        parse_recipe(RECIPE.replace("CLASSES", 'classes = ["a"]\nunknown_classes = ["x"]')),
        folder,
        class_names=("a", "b"),
    )
    assert set(found.examples.truth) == {0}


def test_a_file_outside_the_folder_that_labels_name_is_read_again_when_it_changes(folder):
    """Oracle: the first sample of the file outside."""
    outside = folder.parent / "outside.csv"
    write_csv(outside, 50)
    labels = folder / "labels.csv"
    labels.write_text(labels.read_text() + "../outside.csv,b,S1,day 1,9\n")
    asked = recipe('["a", "b"]')
    assert load_dataset(asked, folder).examples.inputs["all"].max() > 50
    write_csv(outside, 70)
    assert load_dataset(asked, folder).examples.inputs["all"].max() > 70


def test_recordings_that_were_moved_are_named_by_their_new_place(folder):
    """They are the same recordings: what was trained on them stays (the key is the stages')."""
    asked = recipe('["a", "b"]')
    before = load_dataset(asked, folder)
    after = load_dataset(asked, folder.rename(folder.parent / "moved"))
    assert after.examples.groups.names
    assert all("moved" in name for name in after.examples.groups.names)
    assert after.key == before.key


def test_the_same_recordings_come_from_the_cache(folder):
    """Oracle: the first reading's windows."""
    told = []
    made, kept = (
        load_dataset(recipe('["a"]'), folder, progress=lambda what, *_: told.append(what))
        for _ in range(2)
    )
    assert told.count("reading recordings") == 1
    assert told[-1] == "windows from the cache"
    assert (kept.designs, kept.recordings, kept.key) == (made.designs, made.recordings, made.key)
    found, before = (dataclasses.asdict(one.examples) for one in (kept, made))
    np.testing.assert_equal(found, before)


def test_windows_are_neither_taken_nor_kept_without_a_store(folder, tmp_path):
    """Oracle: the folder that the cache would be in."""
    told = []
    for _ in range(2):
        datasets.load_dataset(recipe('["a"]'), folder, progress=lambda what, *_: told.append(what))
    assert told.count("reading recordings") == 2
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("reader", "options", "words"),
    [
        ("foldr", {}, "did you mean 'folder'"),
        ("synthetic", {"n_sign": 3}, "did you mean 'n_signs'"),
        ("folder", {"rate": 3}, "unknown option 'rate'"),
    ],
)
def test_a_reader_and_its_options_are_looked_up_without_reading(reader, options, words):
    table = recipe().dataset.model_copy(update={"reader": reader, "options": options})
    with pytest.raises(KdEdgeError) as caught:
        check_reader(recipe().model_copy(update={"dataset": table}))
    assert words in caught.value.message


@pytest.mark.parametrize(
    "column",
    ["acc (g)\n" + "1\n" * 100, "acc (mg)\n" + "1000\n" * 50 + "7\n" * 50],
    ids=["stuck", "in another unit"],
)
def test_a_modality_that_no_input_takes_never_stops_a_build(folder, column):
    """Oracle: an acceleration that checks would refuse, with and without a front end for it."""
    for name, other in (("0.csv", column), ("2.csv", "acc (g)\n" + "1\n" * 99 + "2\n")):
        head, *rows = (folder / name).read_text().splitlines()
        both = [f"{row},{cell}" for row, cell in zip(rows, other.splitlines(), strict=True)]
        (folder / name).write_text("\n".join([head, *both]) + "\n")
    for text in (RECIPE, RECIPE.replace("[front_end.emg]", "[front_end.acc]\n[front_end.emg]")):
        asked = parse_recipe(text.replace("CLASSES", 'classes = ["a", "b"]'))
        assert len(load_dataset(asked, folder).examples) == 3


@pytest.mark.parametrize("name", ["file", "allow_pickle", "label", "counts", "a/b", "a.npy"])
def test_raw_windows_come_back_whatever_a_modality_is_called(tmp_path, name):
    """Oracle: what was written; alone, some of these names are arguments of NumPy's."""
    windows = [{name: np.full((4, 2), i, "i2"), "emg": np.full((8, 1), -i, "i2")} for i in (1, 2)]
    write_counts(tmp_path / "raw.npz", windows)
    for found, made in zip(read_counts(tmp_path / "raw.npz"), windows, strict=True):
        assert found.keys() == made.keys()
        for key in made:
            np.testing.assert_array_equal(found[key], made[key])


def test_raw_windows_of_earlier_bundles_are_read(tmp_path):
    """Oracle: modalities' names as keys, as bundles had them."""
    np.savez_compressed(tmp_path / "raw.npz", emg=np.ones((3, 4, 2), "i2"))
    assert [list(window) for window in read_counts(tmp_path / "raw.npz")] == [["emg"]] * 3
