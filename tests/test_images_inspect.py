"""`data inspect` of an image set: sizes, classes, copies, look-alikes, damaged files, a sheet."""

from __future__ import annotations

import json

import numpy as np
import PIL.Image
import pytest
from image_samples import class_folders, mask_folders

from kd_edge.base.errors import ExitStatus
from kd_edge.cli import run
from kd_edge.images import READERS, reader_of
from kd_edge.images.inspect import inspect_images

pytest.importorskip("imagehash")


@pytest.fixture
def folder(tmp_path):
    """16 images in two sessions; one copied into the other session, one recompressed there."""
    root = class_folders(tmp_path / "set", 16, size=48)
    first, second = root / "a" / "disc" / "0.png", root / "a" / "square" / "1.png"
    (root / "b" / "disc" / "copy.png").write_bytes(first.read_bytes())
    with PIL.Image.open(second) as picture:
        picture.save(root / "b" / "square" / "again.jpg", quality=85)
    PIL.Image.fromarray(np.zeros((10, 20), np.uint8)).save(root / "a" / "square" / "black.png")
    return root


def test_an_image_set_is_told_with_its_copies_and_look_alikes(folder):
    """Oracle: what was written."""
    found, sheet = inspect_images(READERS["image-folder"].read(folder), folder)
    assert found.images == 19
    assert {(c.name, c.images) for c in found.sizes} == {("10 x 20 grey", 1), ("48 x 48 rgb", 18)}
    assert [(c.name, c.images) for c in found.classes] == [("disc", 9), ("square", 10)]
    assert [c.name for c in found.sessions] == ["a", "b"]
    assert found.duplicates == (("a/disc/0.png", "b/disc/copy.png"),)
    assert ("a/square/1.png", "b/square/again.jpg") in found.near_duplicates
    assert found.across >= 2
    assert found.under_labels == ()
    assert found.pixel_classes is None
    assert found.odd_sizes == ()  # of 19 images one is more than one in a hundred
    assert found.problems == ()
    assert sheet.shape == (2 * 110, 960, 3)
    assert len(np.unique(sheet[20:100, :90])) > 20  # the first disc


def test_a_damaged_file_is_listed_and_the_others_are_told(folder, capsys):
    broken = folder / "a" / "disc" / "0.png"
    broken.write_bytes(broken.read_bytes()[:200])
    assert run(["data", "inspect", str(folder)]) == ExitStatus.OK
    said = " ".join(capsys.readouterr().out.split())
    assert "19 images" in said
    assert "would stop a build: KD_" in said
    assert "a/disc/0.png" in said.replace(" ", "")  # lines are broken inside of paths
    assert "lie in several sessions, so a split by folders leaks" in said


def test_the_command_writes_json_and_a_contact_sheet(folder, tmp_path, capsys):
    png = tmp_path / "sheet.png"
    assert run(["data", "inspect", str(folder), "--json", "--plot", str(png)]) == ExitStatus.OK
    told = json.loads(capsys.readouterr().out)
    assert (told["images"], told["near_bits"]) == (19, 4)
    with PIL.Image.open(png) as picture:
        assert picture.size == (960, 220)


def test_masks_are_told_and_one_of_another_size_is_a_problem(tmp_path, capsys):
    root = mask_folders(tmp_path, 8)
    assert reader_of(root) == "image-masks"
    PIL.Image.fromarray(np.zeros((5, 5), np.uint8)).save(root / "masks" / "a" / "0.png")
    assert run(["data", "inspect", str(root), "--json"]) == ExitStatus.OK
    told = json.loads(capsys.readouterr().out)
    assert [p["code"] for p in told["problems"]] == ["KD_SHAPE"]
    assert told["classes"] == [{"name": "(mask)", "images": 8}]


def test_recordings_with_a_picture_among_them_stay_recordings(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.csv").write_text("a,b\n1,2\n")
    PIL.Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "plot.png")
    assert reader_of(tmp_path) is None
    assert reader_of(tmp_path / "0.csv") is None
    np.savez(tmp_path / "images.npz", x_train=np.zeros((1, 2, 2), np.uint8), y_train=[0])
    np.savez(tmp_path / "signals.npz", emg=np.zeros(4))
    assert reader_of(tmp_path / "images.npz") == "image-npz"
    assert reader_of(tmp_path / "signals.npz") is None


def test_an_image_of_another_size_than_nearly_all_is_named(tmp_path, capsys):
    """Oracle: what was written."""
    root = class_folders(tmp_path / "set", 120, size=24)
    PIL.Image.fromarray(np.zeros((1, 400), np.uint8)).save(root / "a" / "disc" / "wide.png")
    assert run(["data", "inspect", str(root)]) == ExitStatus.OK
    said = " ".join(capsys.readouterr().out.split())
    assert "of another size than most: a/disc/wide.png (1 x 400 grey)" in said


def test_pictures_that_look_alike_under_two_labels_are_named(folder, capsys):
    first = folder / "a" / "disc" / "0.png"
    (folder / "a" / "square" / "wrong.png").write_bytes(first.read_bytes())
    assert run(["data", "inspect", str(folder), "--json"]) == ExitStatus.OK
    told = json.loads(capsys.readouterr().out)
    assert ["a/disc/0.png", "a/square/wrong.png", "b/disc/copy.png"] in told["under_labels"]


def test_masks_of_an_npz_are_told_by_class_with_the_readers_options(tmp_path, capsys):
    """Oracle: the counted pixels: of 100 each, 50 of value 0, 30 of value 1, 20 without a class."""
    y = np.zeros((4, 10, 10), np.uint8)
    y[:, :3], y[:, 3:5] = 1, 255
    file = tmp_path / "scenes.npz"
    names = np.array(["road", "sky"])
    np.savez(file, x_test=np.zeros((4, 10, 10, 3), np.uint8), y_test=y, class_names=names)
    assert run(["data", "inspect", str(file)]) == ExitStatus.BAD_DATA
    assert "its parts: --option parts=test, or" in " ".join(capsys.readouterr().err.split())
    options = ["--option", "parts=test", "--option", "ignore=255"]
    assert run(["data", "inspect", str(file), *options, "--json"]) == ExitStatus.OK
    told = json.loads(capsys.readouterr().out)
    shares = {one["name"]: one["percent"] for one in told["pixel_classes"]}
    assert shares == {"(none)": 20, "road": 50, "sky": 30}
    assert run(["data", "inspect", str(file), "--option", "parts=test"]) == ExitStatus.OK
    said = " ".join(capsys.readouterr().out.split())
    assert "the mask holds 255, and the classes are 0 to 1" in said
    assert "--option ignore=255" in said


def test_a_wrong_mask_is_named_and_not_its_image(tmp_path, capsys):
    root = mask_folders(tmp_path, 8)
    PIL.Image.fromarray(np.zeros((5, 5), np.uint8)).save(root / "masks" / "a" / "0.png")
    assert run(["data", "inspect", str(root), "--json"]) == ExitStatus.OK
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["where"] == str(root / "masks" / "a" / "0.png")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--reader", "image-folders"], "did you mean 'image-folder'"),
        (["--option", "subject_patern=x"], "did you mean 'subject_pattern'"),
    ],
)
def test_a_misspelt_reader_or_option_of_images_is_told(folder, given, told, capsys):
    assert run(["data", "inspect", str(folder), *given]) == ExitStatus.USAGE
    assert told in " ".join(capsys.readouterr().err.split())
