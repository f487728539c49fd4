"""Image sets: readers, decoding, fitting. Oracles: arrays that were written, arithmetic by hand."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_samples import KINDS, class_folders, mask_folders, shapes

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.pixel_values import pixel_table, scaled, unscaled
from kd_edge.base.pixels import NO_CLASS, PixelInput
from kd_edge.base.quantisation import quantize
from kd_edge.base.tensors import TensorSpec
from kd_edge.examples.pictures import image_examples
from kd_edge.images import READERS
from kd_edge.images.decoding import decode_mask, decode_pixels
from kd_edge.images.fitting import fitted_mask, fitted_pixels
from kd_edge.splits import describe_leak

SMALL = PixelInput(size=(2, 2), channels="grey", resize="stretch")


def read(reader, path, **options):
    return READERS[reader].read(path, **options)


def code_of(call, *arguments, **more) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        call(*arguments, **more)
    return caught.value


def packed(pixels, kind="PNG", mode=None, **more) -> bytes:
    stream = io.BytesIO()
    picture = PIL.Image.fromarray(pixels)
    (picture if mode is None else picture.convert(mode)).save(stream, kind, **more)
    return stream.getvalue()


# --- decoding ---


def test_a_png_gives_the_pixels_that_were_written_grey_and_in_colour():
    images, _ = shapes(1)
    np.testing.assert_array_equal(decode_pixels(packed(images[0]), "x.png"), images[0])
    np.testing.assert_array_equal(decode_pixels(packed(images[0, ..., 0]), "x"), images[0, ..., 0])


def test_a_jpeg_is_turned_as_its_camera_was_held():
    """Oracle: orientation 6 of EXIF: the picture's left side is up."""
    pixels = np.zeros((8, 16), np.uint8)
    pixels[:, 8:] = 255
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    found = decode_pixels(packed(pixels, "JPEG", exif=exif), "x.jpg")
    assert found.shape == (16, 8)
    assert (found[8:] > 250).all()
    assert (found[:8] < 5).all()


def test_transparent_pixels_lie_on_black():
    pixels = np.full((2, 2, 4), 200, np.uint8)
    pixels[..., 3] = [[0, 0], [255, 255]]
    found = decode_pixels(packed(pixels), "x.png")
    assert found.tolist() == [[[0] * 3] * 2, [[200] * 3] * 2]


def test_a_palette_mask_gives_its_indices_not_its_colours():
    picture = PIL.Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "P")
    picture.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0])
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    assert decode_mask(stream.getvalue(), "m.png").tolist() == [[0, 1], [2, 1]]


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"GIF89a" + bytes(40), "KD_BAD_FORMAT", "neither PNG nor JPEG"),
        (packed(np.zeros((4, 4), np.uint16)), "KD_BAD_FORMAT", "8 bits a channel"),
        (packed(shapes(1)[0][0])[:300], "KD_TRUNCATED", "ends in the middle"),
        (packed(shapes(1)[0][0], "JPEG")[:400], "KD_TRUNCATED", "ends in the middle"),
        (packed(np.zeros((9000, 5000), bool)), "KD_BAD_FORMAT", "5,000 x 9,000 pixels"),
    ],
)
def test_an_image_that_cannot_be_used_is_named(content, code, says):
    error = code_of(decode_pixels, content, "set/cat/7.png")
    assert error.code == code
    assert says in error.message
    assert error.message.startswith("7.png")
    assert error.where == "set/cat/7.png"


@pytest.mark.parametrize(
    ("content", "says"),
    [(packed(shapes(1)[0][0]), "mode RGB"), (packed(shapes(1)[1][0], "JPEG"), "blurs classes")],
)
def test_a_mask_that_is_no_integer_a_pixel_is_named(content, says):
    assert says in code_of(decode_mask, content, "m.png").message


@given(
    kind=st.sampled_from(["PNG", "JPEG"]),
    place=st.floats(0, 0.999),
    put=st.binary(min_size=1, max_size=6),
    cut=st.booleans(),
)
def test_damaged_files_give_pixels_or_an_error_of_ours(kind, place, put, cut):
    """Oracle: the reader's promise, for files with bytes changed anywhere, or cut."""
    content = packed(shapes(1)[0][0], kind)
    at = int(place * len(content))
    damaged = content[:at] + put + (b"" if cut else content[at + len(put) :])
    for decode in (decode_pixels, decode_mask):
        try:
            found = decode(damaged, "x")
        except KdEdgeError as error:
            assert error.where == "x"  # noqa: PT017
        else:
            assert found.dtype == np.uint8


# --- fitting ---


def test_golden_pixels_of_resizing():
    """Oracle: by hand. Halving weighs each pixel by its distance from the target's middle, over
    two target pixels: 1 3 3 1 of 8 inside, and without what lies outside at the border."""
    row = np.array([[0, 80, 160, 240]], np.uint8)
    halved = replace(SMALL, size=(1, 2))
    left = (3 * 0 + 3 * 80 + 1 * 160) / 7
    right = (1 * 80 + 3 * 160 + 3 * 240) / 7
    assert fitted_pixels(row, halved).ravel().tolist() == [round(left), round(right)]


@pytest.mark.parametrize(
    ("resize", "expected"),
    [("stretch", [[1, 2], [1, 2]]), ("crop", [[1, 2], [1, 2]]), ("pad", [[1, 2], [-1, -1]])],
)
def test_masks_keep_their_classes_and_padding_has_none(resize, expected):
    mask = np.array([[1, 1, 2, 2]], np.int16).repeat(2, axis=0)
    if resize == "crop":
        mask = np.array([[0, 1, 2, 0]], np.int16).repeat(2, axis=0)
    found = fitted_mask(mask, replace(SMALL, resize=resize))
    assert found.dtype == np.int16
    assert found.tolist() == expected


def test_padding_of_an_image_is_black_and_centred():
    found = fitted_pixels(np.full((2, 6), 90, np.uint8), replace(SMALL, size=(6, 6), resize="pad"))
    assert found[..., 0].max(axis=1).tolist() == [0, 0, 90, 90, 0, 0]


def test_the_range_is_a_line_through_black_and_white():
    found = scaled(np.array([0, 51, 255], np.uint8), replace(SMALL, range=(-1.0, 1.0)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [-1, -0.6, 1], atol=1e-6)


@given(st.floats(-300, 300), st.floats(0.1, 600), st.floats(1e-3, 10), st.integers(-128, 127))
def test_a_table_gives_what_quantising_gives_and_pixels_come_back(low, width, scale, zero_point):
    """Oracle: `quantize` of the numbers that training sees; the pixels themselves."""
    wanted = replace(SMALL, range=(low, low + width))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3)).astype(np.uint8)
    seen = scaled(pixels, wanted)
    np.testing.assert_array_equal(unscaled(seen, wanted), pixels)
    spec = TensorSpec("image", (1, 5, 7, 3), "int8", scale, zero_point)
    table = pixel_table(wanted, spec)
    np.testing.assert_array_equal(table[pixels], quantize(seen, scale, zero_point))


def test_grey_weighs_colours_as_bt_601_does():
    colours = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    expected = [round(255 * w) for w in (0.299, 0.587, 0.114, 1.0)]
    assert fitted_pixels(colours, SMALL).ravel().tolist() == expected


# --- class folders ---


def test_folders_name_class_and_session(tmp_path):
    found = read("image-folder", class_folders(tmp_path, 8)).images
    assert [(i.session, i.label) for i in found] == [
        (session, kind) for session in "ab" for kind in ("disc", "disc", "square", "square")
    ]
    images, _ = shapes(8)
    np.testing.assert_array_equal(found[0].pixels(), images[0])


def test_an_archive_gives_what_its_folder_does(tmp_path):
    folder = class_folders(tmp_path / "set", 6)
    with tarfile.open(tmp_path / "set.tar.xz", "w:xz") as archive:
        archive.add(folder, arcname=".")
    both = [read("image-folder", p).images for p in (folder, tmp_path / "set.tar.xz")]
    told = [[(i.label, i.session, i.content_sha256) for i in images] for images in both]
    assert told[0] == told[1]
    np.testing.assert_array_equal(both[0][3].pixels(), both[1][3].pixels())


def test_labels_csv_names_subjects_and_labels_of_loose_files(tmp_path):
    class_folders(tmp_path, 4)
    (tmp_path / "a/disc/0.png").rename(tmp_path / "loose.png")
    (tmp_path / "labels.csv").write_text(
        "file,label,subject\nloose.png,ring,S1\na/square/1.png,,S2\n"
    )
    found = {i.source.rpartition("/")[2]: i for i in read("image-folder", tmp_path).images}
    assert (found["loose.png"].label, found["loose.png"].subject) == ("ring", "S1")
    assert (found["1.png"].label, found["1.png"].subject) == ("square", "S2")
    assert found["2.png"].subject == ""


def test_a_pattern_finds_the_subject_in_the_name(tmp_path):
    class_folders(tmp_path, 2)
    found = read("image-folder", tmp_path, subject_pattern=r"/(\d)\.png$").images
    assert [image.subject for image in found] == ["0", "1"]
    assert code_of(read, "image-folder", tmp_path, subject_pattern="x(").code == "KD_RECIPE_VALUE"
    assert code_of(read, "image-folder", tmp_path, subject_pattern="x").code == "KD_LABELS"


@pytest.mark.parametrize(
    ("labels", "says"),
    [("file,labels\n", "'label'"), ("file,label\n1.png\n", "1 cells"), ("label\n", "'file'"),
     ("file,label\nb.png,x\n", "no image here"), ("file,label\n\na.png,x\na.png,x\n", "twice")],
)  # fmt: skip
def test_a_labels_csv_that_does_not_fit_is_told_with_its_row(tmp_path, labels, says):
    PIL.Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text(labels)
    error = code_of(read, "image-folder", tmp_path)
    assert error.code == "KD_LABELS"
    assert says in f"{error}"


def test_an_image_without_class_and_a_place_without_images_are_told(tmp_path):
    assert code_of(read, "image-folder", tmp_path).code == "KD_EMPTY_FOLDER"
    PIL.Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "a.png")
    error = code_of(read, "image-folder", tmp_path)
    assert (error.code, error.where) == ("KD_LABELS", str(tmp_path / "a.png"))


# --- masks ---


def test_masks_lie_beside_their_images(tmp_path):
    found = read("image-masks", mask_folders(tmp_path, 4))
    images, masks = shapes(4)
    assert found.class_names == KINDS
    assert [i.session for i in found.images] == ["a", "a", "b", "b"]
    np.testing.assert_array_equal(found.images[3].mask(), masks[3])
    np.testing.assert_array_equal(found.images[3].pixels(), images[3])


def test_an_ignored_value_has_no_class(tmp_path):
    image = read("image-masks", mask_folders(tmp_path, 2), ignore=0).images[0]
    assert set(np.unique(image.mask())) == {NO_CLASS, 1}


@pytest.mark.parametrize(
    ("missing", "says"), [("masks/b/3.png", "no mask"), ("images/b/2.png", "no image")]
)
def test_an_image_without_mask_and_a_mask_without_image_are_named(tmp_path, missing, says):
    (mask_folders(tmp_path, 4) / missing).unlink()
    error = code_of(read, "image-masks", tmp_path)
    assert error.code == "KD_LABELS"
    assert says in error.message
    assert missing[-5] in error.where


def test_masks_that_do_not_fit_stop_with_their_own_name(tmp_path):
    found = read("image-masks", mask_folders(tmp_path, 2)).images
    wanted = replace(SMALL, size=(24, 24))
    short = code_of(image_examples, found, wanted, KINDS[:2])
    assert (short.code, short.where) == ("KD_LABELS", found[1].mask_source)
    assert "holds 2" in short.message
    odd = replace(found[0], mask=lambda: np.zeros((3, 4), np.int16))
    assert code_of(image_examples, [odd], wanted, KINDS).code == "KD_SHAPE"


# --- arrays ---


def test_one_npz_gives_labels_or_masks_and_parts_are_sessions(tmp_path):
    images, masks = shapes(6)
    names = np.array([f"drive{i % 2}_{i}" for i in range(6)])
    np.savez(
        tmp_path / "x.npz", class_names=KINDS,
        x_train=images[:4], y_train=masks[:4], id_train=names[:4],
        x_test=images[4:], y_test=masks[4:], id_test=names[4:],
    )  # fmt: skip
    found = read(
        "image-npz", tmp_path / "x.npz", parts=["train", "test"], names="id",
        subject_pattern="^[^_]+", ignore=0,
    )  # fmt: skip
    assert [i.session for i in found.images] == ["train"] * 4 + ["test"] * 2
    assert [i.subject for i in found.images] == ["drive0", "drive1"] * 3
    assert found.class_names == KINDS
    assert set(np.unique(found.images[1].mask())) == {NO_CLASS, 2}
    np.savez(tmp_path / "y.npz", x=images[..., 0], y=masks.max(axis=(1, 2)), class_names=KINDS)
    labelled = read("image-npz", tmp_path / "y.npz")
    assert labelled.class_names is None
    assert [i.label for i in labelled.images] == ["disc", "square"] * 3


@pytest.mark.parametrize(
    ("arrays", "says"),
    [({"x": np.zeros((2, 4, 4))}, "'y'"), ({"X": np.zeros(2)}, "'x'"),
     ({"x": np.zeros((2, 4, 4)), "y": np.zeros(2, int)}, "uint8"),
     ({"x": np.zeros((2, 4, 4), "u1"), "y": np.zeros(3, int)}, "y is"),
     ({"x": np.zeros((2, 4, 4), "u1"), "y": np.zeros(2, int), "subject": np.array("a")}, "subject"),
     ({"x": np.zeros((0, 4, 4), "u1"), "y": np.zeros(0, int)}, "no images")],
)  # fmt: skip
def test_an_npz_of_other_arrays_says_which(tmp_path, arrays, says):
    np.savez(tmp_path / "x.npz", **arrays)
    error = code_of(read, "image-npz", tmp_path / "x.npz")
    assert error.code == "KD_BAD_FORMAT"
    assert says in error.message


def test_the_bundled_digits_are_scikit_learn_s():
    """Oracle: the set's description: 1797 digits; the first is a zero."""
    found = READERS["digits"].read(None).images
    assert (len(found), found[0].label) == (1797, "0")
    assert found[0].pixels().max() == round(15 * 255 / 16)
    assert READERS["digits"].data_file().is_file()


# --- examples ---


def test_examples_hold_pixels_truth_and_groups(tmp_path):
    found = read("image-folder", class_folders(tmp_path, 6)).images
    examples = image_examples(found, replace(SMALL, size=(24, 24)), ("square", "disc"))
    images, _ = shapes(6)
    grey = np.asarray(PIL.Image.fromarray(images[0]).convert("L"), np.float32) / 255
    np.testing.assert_allclose(examples.inputs["image"][0, ..., 0], grey, atol=1e-7)
    assert examples.truth.tolist() == [1, 1, 0, 0, 1, 0]
    assert examples.groups.session.tolist() == ["a"] * 4 + ["b"] * 2
    assert examples.groups.content.tolist() == [image.content_sha256 for image in found]
    assert examples.strata.tolist() == examples.truth.tolist()


def test_examples_with_masks_hold_a_class_a_pixel(tmp_path):
    found = read("image-masks", mask_folders(tmp_path, 3))
    examples = image_examples(
        found.images, replace(SMALL, size=(24, 24), channels="rgb"), found.class_names
    )
    images, masks = shapes(3)
    np.testing.assert_array_equal(examples.truth, masks)
    np.testing.assert_allclose(examples.inputs["image"], images / np.float32(255), atol=1e-7)
    assert examples.strata.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("folder", "file", "reader", "options", "n", "sessions"),
    [
        ("brain_tumor_mri", "images_224px.tar", "image-folder", {}, 3121, {"Training", "Testing"}),
        ("cifar10", "cifar10_10k_2k_jpg.tar.xz", "image-folder", {}, 12000, {"train", "test"}),
        ("camvid", "camvid_160x120.npz", "image-npz",
         {"parts": ["train", "val", "test"], "names": "id", "ignore": 11,
          "subject_pattern": "^[^_]+"}, 530, {"train", "val", "test"}),
    ],
)  # fmt: skip
def test_public_sets_are_read_in_place(shared_data, folder, file, reader, options, n, sessions):
    """Oracle: the sets' own descriptions."""
    found = read(reader, shared_data(folder) / file, **options).images
    assert len(found) == n
    assert {image.session for image in found} == sessions
    assert found[0].pixels().dtype == np.uint8


def test_a_leak_of_images_is_told_as_one(tmp_path):
    """Oracle: one file under two sessions."""
    folder = class_folders(tmp_path, 4)
    (folder / "b/disc/copy.png").write_bytes((folder / "a/disc/0.png").read_bytes())
    told = [image.info() for image in read("image-folder", folder).images]
    sides = ([i for i in told if i.session == name] for name in "ab")
    assert describe_leak(*sides, "leave-session-out") == ("1 images lie on both sides", 5)
