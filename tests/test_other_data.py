"""Other recordings and images than a bundle's own: which reader takes them, with which options."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from image_samples import mask_folders

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli import run
from kd_edge.images import READERS
from kd_edge.pipeline.dataset import load_dataset
from kd_edge.pipeline.other_data import reading_other
from kd_edge.recipe import load_recipe, parse_recipe

pytest.importorskip("keras")  # a recipe is checked against the models that there are

RECIPES = Path(__file__).parents[1] / "recipes"
NAMES = ("road", "sky", "tree")
MASKED = """
name = "scenes"
summary = "a class a pixel"
task = "segmentation"

[dataset]
reader = "image-npz"
options = { parts = ["train", "test"], names = "id", ignore = 255 }
CLASSES

[images]
size = [8, 8]
channels = "rgb"
resize = "stretch"

[[split.test]]
kind = "leave-session-out"
held_out = ["test"]

[split.validation]
kind = "random"
fraction = 0.2

[[students]]
name = "student"
model = "small-unet"
options = { width = 4, depth = 1 }
epochs = 1
distill = false

[distillation]
loss = "hinton"
temperature = 2.0
alpha = 0.5
"""


def recipe(classes=""):
    return parse_recipe(MASKED.replace("CLASSES", classes))


def scenes(path: Path, **arrays) -> Path:
    """Six random scenes with three classes and a border without one, under the given names."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    y = rng.integers(0, 3, (6, 8, 8), dtype=np.uint8)
    y[:, 0] = 255
    made = {"x": x, "y": y, "id": np.array([f"scene {i}" for i in range(6)])}
    np.savez(path, **{arrays.get(name, name): array for name, array in made.items()})
    return path


@pytest.mark.parametrize(
    ("arrays", "parts"),
    [
        ({"x": "x_test", "y": "y_test", "id": "id_test"}, ["test"]),
        ({"x": "x_train", "y": "y_train", "id": "id_train"}, ["train"]),
        ({}, [""]),
    ],
)
def test_an_npz_with_one_part_or_none_is_read_with_the_other_options(tmp_path, arrays, parts):
    """Oracle: the images that were written, border left out."""
    file = scenes(tmp_path / "drive.npz", **arrays)
    asked = reading_other(recipe(), file)
    assert asked.dataset.options["parts"] == parts
    found = load_dataset(asked, file, class_names=NAMES)
    assert len(found.examples) == 6
    assert found.recordings[0].name.endswith("scene 0")
    assert (found.examples.truth[:, 0] == -1).all()
    assert set(np.unique(found.examples.truth[:, 1:])) == {0, 1, 2}


def test_a_file_without_any_part_says_which_is_missing(tmp_path):
    file = tmp_path / "other.npz"
    np.savez(file, pictures=np.zeros((2, 8, 8), np.uint8))
    with pytest.raises(KdEdgeError, match="no array 'x_train'"):
        load_dataset(reading_other(recipe(), file), file, class_names=NAMES)


def test_a_part_that_is_asked_for_by_name_must_be_there(tmp_path):
    file = scenes(tmp_path / "drive.npz")
    with pytest.raises(KdEdgeError, match="no array 'x_night'"):
        load_dataset(
            reading_other(recipe(), file, options={"parts": "night,day"}), file, class_names=NAMES
        )


def test_folders_with_masks_show_their_reader_and_keep_the_options_that_it_has(tmp_path):
    """Oracle: by hand; `parts` and `names` are the NPZ reader's alone."""
    root = mask_folders(tmp_path, 4)
    asked = reading_other(recipe(), root, options={"ignore": 7})
    assert asked.dataset.reader == "image-masks"
    assert asked.dataset.options == {"ignore": 7}


def test_recordings_are_read_by_the_recipes_reader_unless_another_is_named(tmp_path):
    watch = load_recipe(RECIPES / "watch.toml")
    assert reading_other(watch, tmp_path).dataset == watch.dataset
    named = reading_other(watch, tmp_path, "folder").dataset
    assert (named.reader, named.options) == ("folder", {})


@pytest.mark.parametrize(
    ("reader", "options", "code"),
    [
        ("foldr", {}, "KD_UNKNOWN_NAME"),
        ("folder", {"rate": 3}, "KD_RECIPE_KEY"),
    ],
)
def test_no_such_reader_and_no_such_option(tmp_path, reader, options, code):
    with pytest.raises(KdEdgeError) as refusal:
        reading_other(load_recipe(RECIPES / "watch.toml"), tmp_path, reader, options)
    assert refusal.value.code == code


@pytest.mark.parametrize("command", ["bench", "eval"])
def test_how_to_read_what_is_not_named_is_refused(command, tmp_path, capsys):
    for option in (["--option", "ignore=3"], ["--reader", "folder"]):
        board = ["--board", "qemu-an386"] if command == "eval" else []
        status = run([command, str(tmp_path), *board, *option])
        assert status == ExitStatus.USAGE
        assert option[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("classes", "models", "fits"),
    [
        ("", ("road", "sky", "tree"), True),
        ("", ("sky", "road", "tree"), False),
        ('classes = ["lane", "air", "wood"]', ("lane", "air", "wood"), True),  # renamed
        ('classes = ["sky", "road", "tree"]', ("sky", "road", "tree"), False),
    ],
)
def test_masks_whose_classes_stand_in_another_order_are_refused(tmp_path, classes, models, fits):
    """Oracle: by hand; the masks' own names are road, sky, tree."""
    file = scenes(tmp_path / "drive.npz")
    with np.load(file) as arrays:
        np.savez(file, **arrays, class_names=np.array(NAMES))
    asked = reading_other(recipe(classes), file)
    if fits:
        assert load_dataset(asked, file, class_names=models).examples.class_names == models
        return
    with pytest.raises(KdEdgeError, match="value 0 of these masks is 'road', of the models 'sky'"):
        load_dataset(asked, file, class_names=models)


def test_a_reader_without_a_rule_takes_a_recipes_options_as_they_are(tmp_path):
    assert READERS["image-masks"].options_for(tmp_path, {"ignore": 3}) == {"ignore": 3}
