"""Near duplicates: which pictures are one, and that splits keep them together."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from image_samples import class_folders

from kd_edge.base.errors import KdEdgeError
from kd_edge.images.class_folders import read
from kd_edge.images.decoding import decode_pixels
from kd_edge.images.near_duplicates import (
    grouped,
    groups_of,
    look_of,
    near_pairs,
    resembling,
)
from kd_edge.pipeline.context import folds_of
from kd_edge.pipeline.dataset import load_dataset
from kd_edge.recipe import parse_recipe
from kd_edge.splits import Split, check_duplicates, make_folds

pytest.importorskip("imagehash")

RECIPE = """
name = "shapes"
[dataset]
reader = "image-folder"
near_duplicates = 4
[images]
size = [16, 16]
channels = "grey"
resize = "stretch"
[[split.test]]
kind = "random-groups"
fraction = 0.3
[split.validation]
kind = "random-groups"
fraction = 0.2
[[students]]
name = "student"
model = "image-cnn"
epochs = 1
distill = false
"""


def photograph(seed: int, size: int = 96) -> np.ndarray:
    """A picture of smooth patches, (size, size) uint8."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 7)).astype(np.uint8)
    return np.asarray(PIL.Image.fromarray(coarse).resize((size, size), PIL.Image.BICUBIC))


def recompressed(pixels: np.ndarray, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return decode_pixels(stream.getvalue(), "a test")


def test_a_picture_recompressed_resized_or_brighter_looks_the_same():
    """Oracle: how the pictures were made; others differ in about half of the bits."""
    pixels = photograph(1)
    small = np.asarray(PIL.Image.fromarray(pixels).resize((50, 60), PIL.Image.BILINEAR))
    alike = [pixels, recompressed(pixels, 30), small, (pixels * 0.8 + 30).astype(np.uint8)]
    looks = np.stack([look_of(p) for p in (*alike, photograph(2), photograph(3))])
    differing = (looks[:, None] != looks[None]).sum(axis=2)
    assert differing[:4, :4].max() <= 4
    assert differing[:4, 4:].min() > 16
    assert groups_of(looks, 4).tolist() == [0, 0, 0, 0, 4, 5]


def test_a_colour_picture_looks_like_its_grey_one():
    grey = photograph(4)
    assert (look_of(np.repeat(grey[..., None], 3, axis=2)) != look_of(grey)).sum() == 0


def test_pairs_and_groups_are_those_of_all_pairs_counted_by_hand(monkeypatch):
    """Oracle: the table of all pairs; groups by following neighbours, block by block."""
    monkeypatch.setattr("kd_edge.images.near_duplicates._AT_ONCE", 7)
    looks = np.random.default_rng(0).random((30, 64)) < 0.5
    for chained, bits in ((10, 3), (20, 2), (25, 4)):  # each a few bits from another
        looks[chained] = looks[chained - 5]
        looks[chained, :bits] ^= True
    looks[11] = looks[10] ^ (np.arange(64) >= 62)
    found = {(int(a), int(b)) for pair in near_pairs(looks, 4) for a, b in zip(*pair, strict=True)}
    differing = (looks[:, None] != looks[None]).sum(axis=2)
    assert found == {(a, b) for a, b in np.argwhere(differing <= 4).tolist() if a < b}
    groups = groups_of(looks, 4)
    assert groups[[5, 10, 11]].tolist() == [5, 5, 5]
    assert groups[[15, 20, 25]].tolist() == [15, 15, 15]
    assert differing[5, 11] > 4
    assert len(set(groups.tolist())) == 30 - 4


def test_other_images_that_look_like_learned_ones_are_counted(folder):
    """Oracle: how the pictures were made; session 'b' holds those of 'a' recompressed."""
    images = grouped(read(folder).images, 4)
    learned = [i.look for i in images if i.session == "a" and i.label == "disc"]
    others = [i.look for i in images if i.session == "b"]
    assert resembling(others, learned, 4) == 30
    assert resembling(others[:0], learned, 4) == resembling(others, [""], 4) == 0


@pytest.fixture
def folder(tmp_path):
    """Class folders of 30 different pictures each, each with two that only look the same."""
    for kind in ("disc", "square"):
        for session in "ab":
            (tmp_path / session / kind).mkdir(parents=True)
        for i in range(30):
            pixels = photograph(i + 100 * (kind == "disc"))
            for quality in (90, 60, 40):
                place = tmp_path / ("b" if quality == 40 else "a") / kind / f"{i}_{quality}.jpg"
                PIL.Image.fromarray(pixels).save(place, quality=quality)
    return tmp_path


def test_a_group_stays_on_one_side_of_a_random_split_and_the_leak_is_said(folder):
    recipe = parse_recipe(RECIPE)
    dataset = load_dataset(recipe, folder)
    names = [each.group for each in dataset.recordings]
    assert len(set(names)) == 60
    (fold,) = folds_of(recipe, dataset)
    sides = [{names[i] for i in part.indices} for part in fold.parts]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 60
    test = fold.tests[0]
    labels = [dataset.recordings[i].label for i in test.indices]
    assert labels.count("disc") == labels.count("square") == 27  # 0.3 of 90
    assert test.leak.startswith("random groups: no near duplicates on both sides")
    assert not test.leaky


@pytest.mark.parametrize("kind", ["random", "leave-session-out"])
def test_near_duplicates_on_both_sides_stop_the_build_or_are_said(folder, kind):
    told = {"random": "fraction = 0.3", "leave-session-out": 'held_out = ["b"]'}[kind]
    text = RECIPE.replace('kind = "random-groups"\nfraction = 0.3', f'kind = "{kind}"\n{told}')
    recipe = parse_recipe(text)
    dataset = load_dataset(recipe, folder)
    with pytest.raises(KdEdgeError) as caught:
        folds_of(recipe, dataset)
    error = caught.value
    assert error.code == "KD_DUPLICATES"
    assert "images resemble each other and lie on both sides of a split" in error.message
    assert "more groups" in error.message
    assert len({Path(place).name.partition("_")[0] for place in error.where.split("; ")}) == 1
    allowed = recipe.dataset.model_copy(update={"allow_duplicates": True})
    (fold,) = folds_of(recipe.model_copy(update={"dataset": allowed}), dataset)
    assert fold.tests[0].leaky
    assert "images resemble images on the other side" in fold.tests[0].leak


def test_a_file_under_two_labels_is_named(tmp_path):
    folder = class_folders(tmp_path, 16)
    copied = folder / "a" / "disc" / "0.png"
    (folder / "a" / "square" / "mine.png").write_bytes(copied.read_bytes())
    infos = [image.info() for image in read(folder).images]
    part = {"kind": "random", "fraction": 0.2}
    folds = make_folds(infos, Split(test=[part], validation=part), seed=0)
    with pytest.raises(KdEdgeError, match="stand under different labels: disc, square") as caught:
        check_duplicates(infos, folds)
    assert caught.value.where.endswith("square/mine.png")


def test_labels_become_another_and_one_that_is_not_there_is_told(tmp_path):
    class_folders(tmp_path, 12)
    (tmp_path / "a" / "nothing").mkdir()
    PIL.Image.fromarray(photograph(1)).save(tmp_path / "a" / "nothing" / "1.png")
    merge = 'merge = {{ shape = ["disc", "{}"] }}\n[images]'
    recipe = parse_recipe(RECIPE.replace("[images]", merge.format("square")))
    assert load_dataset(recipe, tmp_path).examples.class_names == ("nothing", "shape")
    wrong = parse_recipe(RECIPE.replace("[images]", merge.format("squares")))
    with pytest.raises(KdEdgeError, match="did you mean 'square'") as caught:
        load_dataset(wrong, tmp_path)
    assert caught.value.where.startswith("dataset.merge")
    with pytest.raises(KdEdgeError, match="merged twice"):
        parse_recipe(RECIPE.replace("[images]", merge.format("disc")))


def test_near_duplicates_are_for_images():
    sensors = '[front_end.emg]\n[windows]\nlength_s = 1.0\ninputs = { all = ["emg"] }\n'
    text = RECIPE.split("[images]", maxsplit=1)[0] + sensors + RECIPE[RECIPE.index("[[split") :]
    with pytest.raises(KdEdgeError, match="looked for among images"):
        parse_recipe(text)


def test_the_public_tumour_set_has_its_groups(shared_data):
    """Oracle: the set's own copies, found by the hash of their files, are within groups."""
    images = read(shared_data("brain_tumor_mri") / "images_224px.tar").images[::6]
    looks = np.stack([look_of(image.pixels()) for image in images])
    groups = groups_of(looks, 4)
    files = [image.content_sha256 for image in images]
    for sha in set(files):
        assert len({groups[i] for i, other in enumerate(files) if other == sha}) == 1
    sizes = np.bincount(groups)
    assert len(set(files)) > np.count_nonzero(sizes) > 400
    assert sizes.max() <= 12
