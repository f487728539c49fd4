"""Recipes of images: what they refuse, and a segmentation from masks to a board."""

from __future__ import annotations

import base64
import io
import json
import re
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from emulated import marks
from image_samples import KINDS, class_folders, mask_folders, shapes
from programs import need

from firmware_export.boards import BOARDS
from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.base.pixels import PixelInput
from kd_edge.cli import run
from kd_edge.images.fitting import fitted_mask
from kd_edge.link.device import Device
from kd_edge.link.messages import window_content
from kd_edge.pipeline.bench import bench
from kd_edge.pipeline.boards.asked import EvalSettings, asked_windows
from kd_edge.pipeline.boards.bundle_image import load_board_bundle
from kd_edge.pipeline.boards.targets import boot
from kd_edge.pipeline.build import build
from kd_edge.pipeline.bundle import load_manifest
from kd_edge.pipeline.context import prepare
from kd_edge.pipeline.dataset import load_dataset
from kd_edge.pipeline.kept_windows import load_windows
from kd_edge.pipeline.names import check_names
from kd_edge.pipeline.training import FoldTrainer
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import load_recipe, parse_recipe, to_toml
from kd_edge.report.html import render_html
from kd_edge.runtimes.composed import open_product
from kd_edge.tasks.figures import Overlap

RECIPE = """
name = "shapes"
task = "segmentation"
[dataset]
reader = "image-masks"
[images]
size = [16, 16]
channels = "rgb"
resize = "stretch"
[[split.test]]
name = "another session"
kind = "leave-session-out"
held_out = ["b"]
[split.validation]
kind = "random"
fraction = 0.2
[[teachers]]
name = "teacher"
model = "unet"
epochs = 8
batch_size = 8
learning_rate = 0.01
[[students]]
name = "student"
model = "unet"
options = { width = 4 }
epochs = 12
batch_size = 8
learning_rate = 0.01
[distillation]
loss = "hinton"
temperature = 2.0
alpha = 0.5
[conversion]
formats = ["float32", "int8"]
teacher_formats = []
calibration_windows = 16
[proof]
parity_windows = 24
latency_runs = 20
[firmware]
golden_vectors = 3
"""
SENSORS = """
[front_end.emg]
[windows]
length_s = 1.0
inputs = { all = ["emg"] }
"""


def code_of(call, *arguments, **more) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        call(*arguments, **more)
    return caught.value


def without(table: str) -> str:
    return re.sub(rf"\[{table}\][^\[]*(\[\d[^\[]*)?", "", RECIPE)


# --- recipes ---


def test_a_recipe_of_images_reads_back_as_it_was_written():
    recipe = parse_recipe(RECIPE)
    assert recipe.images == PixelInput(size=(16, 16), channels="rgb", resize="stretch")
    assert recipe.inputs == ("image",)
    assert parse_recipe(to_toml(recipe)) == recipe


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (RECIPE + SENSORS, "KD_RECIPE_VALUE", "the nearest keys are images."),
        (without("images") + "[front_end.emg]", "KD_RECIPE_VALUE", "windows: a recipe of"),
        (without("images"), "KD_RECIPE_VALUE", "a recipe of images has [images] instead"),
        (RECIPE.replace("\nsize =", "\nsizes ="), "KD_RECIPE_KEY", "did you mean 'size'"),
        (RECIPE.replace("[images]", "[image]"), "KD_RECIPE_KEY", "did you mean 'images'"),
        (RECIPE.replace('resize = "stretch"', "length_s = 1"), "KD_RECIPE_KEY", "'length_s'"),
        (RECIPE.replace("[16, 16]", "[16, 0]"), "KD_RECIPE_VALUE", "images.size"),
        (RECIPE.replace("[images]", "[images]\nrange = [1.0, 1.0]"), "KD_RECIPE_VALUE",
         "low < high"),
        (RECIPE.replace("epochs = 8", 'inputs = ["imagine"]\nepochs = 8'), "KD_RECIPE_VALUE",
         "did you mean 'image'"),
    ],
)  # fmt: skip
def test_keys_of_the_other_source_are_told_with_the_nearest(text, code, words):
    error = code_of(parse_recipe, text)
    assert error.code == code
    assert words in error.message


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (RECIPE.replace("image-masks", "image-mask"), "KD_UNKNOWN_NAME", "'image-masks'"),
        (RECIPE.replace("image-masks", "folder"), "KD_RECIPE_KEY", "[front_end.*] and [windows]"),
        (without("images").replace("image-masks", "digits") + SENSORS, "KD_RECIPE_KEY", "[images]"),
        (RECIPE.replace("[images]", "options = { ignor = 0 }\n[images]"), "KD_RECIPE_KEY",
         "'ignore'"),
        (RECIPE.replace("[proof]", '[proof]\nbaselines = ["lda"]'), "KD_RECIPE_VALUE", "baselines"),
    ],
)  # fmt: skip
def test_names_that_do_not_fit_the_source_are_told_before_any_work(text, code, words):
    error = code_of(check_names, parse_recipe(text))
    assert error.code == code
    assert words in f"{error}"


# --- datasets ---


def test_masks_without_names_of_classes_stop_and_a_recipe_may_name_them(tmp_path):
    (mask_folders(tmp_path, 4) / "classes.txt").unlink()
    recipe = parse_recipe(RECIPE)
    assert code_of(load_dataset, recipe, tmp_path).code == "KD_LABELS"
    named = recipe.dataset.model_copy(update={"classes": ("ground", "disc", "square")})
    found = load_dataset(recipe.model_copy(update={"dataset": named}), tmp_path)
    assert found.examples.class_names == ("ground", "disc", "square")
    assert found.pixels == recipe.images


def test_labels_choose_images_and_their_order(tmp_path):
    recipe = parse_recipe(RECIPE.replace("image-masks", "image-folder"))
    named = recipe.dataset.model_copy(update={"classes": ("square",)})
    class_folders(tmp_path, 8)
    assert len(load_dataset(recipe.model_copy(update={"dataset": named}), tmp_path).examples) == 4
    assert load_dataset(recipe, tmp_path).examples.class_names == ("disc", "square")


def test_copies_on_both_sides_of_a_split_are_named(tmp_path, cache):
    folder = mask_folders(tmp_path / "set", 12)
    copied = (folder / "images/a/0.png").read_bytes()
    (folder / "images/b/2.png").write_bytes(copied)
    error = code_of(build, parse_recipe(RECIPE), data=folder, out=tmp_path / "out", command="")
    assert error.code == "KD_DUPLICATES"
    assert error.message.startswith("2 images hold the same samples and lie on both sides")
    assert {"a/0.png", "b/2.png"} == {place[-7:] for place in error.where.split("; ")}


def test_a_model_that_does_not_answer_the_task_is_named_before_training(tmp_path, cache):
    folder = mask_folders(tmp_path / "set", 12)
    recipe = parse_recipe(RECIPE.replace('model = "unet"\nepochs', 'model = "image-cnn"\nepochs'))
    error = code_of(build, recipe, data=folder, out=tmp_path / "out", command="")
    assert (error.code, error.where) == ("KD_SHAPE", "the model 'teacher'")


# --- from masks to a board ---


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    data = mask_folders(root / "set", 48, size=20)
    done = build(parse_recipe(RECIPE), data=data, out=root / "out", command="a test")
    return root / "out", done


def test_a_segmentation_is_built_to_plain_c(built):
    """Oracle: TFLite Micro's answers; the figures' own counts."""
    folder, done = built
    assert done.failures == ()
    manifest = load_manifest(folder)
    assert manifest.front_end is None
    assert manifest.pixels.size == (16, 16)
    assert manifest.examples == done.report.examples == "images"
    figures = [row.accuracy["another session"] for row in done.report.rows]
    assert all(isinstance(figure, Overlap) for figure in figures)
    assert max(figure.value for figure in figures) > 0.4
    assert {sum(map(sum, figure.confusion)) for figure in figures} == {24 * 16 * 16}
    engines = [p for p in done.report.parity if p.kind == "engines"]
    assert [(p.max_steps, p.class_agreement) for p in engines] == [(0, 1.0)]
    assert "firmware/aot/kd_run.c" in manifest.files
    assert "raw.npz" not in manifest.files
    stored = load_windows(folder / "bench.npz", manifest)
    assert stored.parts["another session"].truth.shape == (24, 16, 16)
    golden = np.load(folder / "golden.npz")
    assert golden["int8_outputs"].shape == (3, 16, 16, 3)


def test_answers_are_painted_beside_the_truth(built):
    """Oracle: the masks on disk, painted here; int8 answers that are right as often as is said."""
    folder, done = built
    gallery = done.report.gallery
    names, colours = zip(*gallery.legend, strict=True)
    assert names == KINDS
    assert len(gallery.shown) == 8
    said = []
    for shown in gallery.shown:
        image, truth, answer = (_pixels(tile) for tile in shown.tiles)
        assert image.shape == truth.shape == answer.shape == (16, 16, 3)
        mask = np.asarray(PIL.Image.open(Path(shown.name.replace("/images/", "/masks/"))))
        wanted = fitted_mask(mask.astype(np.int16), load_manifest(folder).pixels)
        rgb = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours])
        np.testing.assert_array_equal(truth, rgb[wanted])
        said.append(int(shown.words.split(" %")[0]))
        assert said[-1] == round(100 * (truth == answer).all(axis=2).mean())
    assert said == sorted(said)
    other = bench(folder, data=mask_folders(folder.parent / "more", 3, seed=5), command="")
    assert len(other.gallery.shown) == 3


def _pixels(tile):
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(tile.png))))


def test_the_report_speaks_of_images_and_overlap(built):
    page = render_html(built[1].report)
    assert page.count('<img src="data:image/png;base64,') == 3 * 8
    for words in ("Mean IoU", "24 images", "Pixel accuracy", *KINDS):
        assert words in page
    assert "Macro-F1" not in page
    assert "% of windows" not in page


def test_a_bundle_of_images_is_measured_again_on_its_own_and_on_other_images(built, tmp_path):
    """Oracle: the build's own figures; the count of the other images."""
    folder, done = built
    again = bench(folder, data=None, command="")
    rows = {(row.model, row.format, row.runtime): row.accuracy for row in done.report.rows}
    assert all(rows[r.model, r.format, r.runtime] == r.accuracy for r in again.rows)
    other = bench(folder, data=mask_folders(tmp_path / "other", 6, seed=9), command="")
    assert {f.n_windows for row in other.rows for f in row.accuracy.values()} == {6}
    assert other.examples == "images"


@pytest.mark.parametrize("windows", ["int8", "raw"])
@pytest.mark.parametrize(
    "board", ["host", pytest.param("qemu-an386", marks=marks(BOARDS["qemu-an386"]))]
)
def test_a_board_answers_images_as_tflite_micro_does(built, board, windows, tmp_path, capsys):
    """Oracle: the interpreter, bit for bit, of quantised inputs and of 8-bit pixels."""
    need("gcc")
    asked = ["eval", str(built[0]), "--board", board, "--windows", windows, "--limit", "6"]
    assert run([*asked, "--out", str(tmp_path), "--json"]) == ExitStatus.OK
    section = json.loads(capsys.readouterr().out)["boards"][0]
    oracle = next(a for a in section["agreement"] if a["runtime"] == "tflm")
    assert (section["n_answered"], oracle["largest_step"]) == (6, 0)
    if board != "host":  # instructions; the host counts whole microseconds
        assert (section["front_end"] is None) == (windows == "int8")


def test_a_board_takes_the_pixels_of_other_images(built, tmp_path, capsys):
    need("gcc")
    other = mask_folders(tmp_path / "other", 6, seed=9, size=40)
    asked = ["eval", str(built[0]), "--board", "host", "--windows", "raw", "--data", str(other)]
    assert run([*asked, "--out", str(tmp_path / "out")]) == ExitStatus.OK
    assert "6 of 6 bit for bit as TFLite Micro" in " ".join(capsys.readouterr().out.split())


def test_a_board_that_takes_int8_alone_is_sent_no_pixels(built):
    need("gcc")
    bundle = load_board_bundle(built[0])
    with ExitStack() as stack:
        device = stack.enter_context(
            Device.open(boot(stack, bundle, BOARDS["host"], tell=lambda *_: None))
        )
        hello = replace(device.hello, raw_bytes=0)
        pixels = np.zeros(hello.inputs[0].shape, np.uint8)
        for wrong in (pixels.astype(np.int8), pixels[..., :1]):
            assert code_of(window_content, wrong, device.hello, "raw").code == "KD_SHAPE"
    assert len(window_content(pixels, device.hello, "raw")) == 16 * 16 * 3
    product = open_product(bundle.product, "tflm")
    settings = EvalSettings(windows="raw")
    error = code_of(asked_windows, bundle, product, settings, hello, lambda *_: None)
    assert error.code == "KD_COUNTS"
    assert "takes int8 alone" in error.message


def test_what_only_sensors_have_is_refused(built, capsys):
    need("gcc")
    assert run(["live", str(built[0]), "--board", "host"]) == ExitStatus.USAGE
    assert "what sensors stream" in capsys.readouterr().err


def test_bundles_of_images_do_not_answer_recordings(built):
    import kd_edge

    assert code_of(kd_edge.load, built[0]).code == "KD_USAGE"


def test_images_of_the_digits_recipe_are_the_set_s(pytestconfig):
    """Oracle: the arrays of the set, by hand: 16 steps of grey from -1 to 1."""
    recipe = load_recipe(pytestconfig.rootpath / "recipes" / "digits.toml", quick=True)
    examples = load_dataset(recipe, None).examples
    assert examples.class_names == ("0", "1", "4", "7")
    values = np.unique(np.rint((examples.inputs["image"] + 1) * 127.5))
    assert values.tolist() == [round(255 * i / 16) for i in range(17)]


def test_a_model_for_images_takes_one_image():
    pytest.importorskip("keras")
    from kd_edge.models import build_model

    for name, given in (("unet", {"a": (8, 2)}), ("image-cnn", {"a": (8, 8, 1), "b": (8, 8, 1)}),
                        ("unet", {"a": (6, 8, 1)})):  # fmt: skip
        error = code_of(build_model, name, input_shapes=given, n_classes=2, seed=0, options={})
        assert error.code == "KD_SHAPE"


def test_shapes_are_what_the_samples_say():
    images, masks = shapes(2)
    assert images.shape == (2, 24, 24, 3)
    assert set(np.unique(masks)) == {0, 1, 2}
    assert replace(parse_recipe(RECIPE).images, channels="grey").shape == (16, 16, 1)


def test_a_set_on_disk_gives_the_model_of_one_in_memory(tmp_path, cache):
    """Oracle: the student's bytes; 40 images of 104 x 104 x 3 float32 are 5.2 MB."""
    text = RECIPE.replace("[16, 16]", "[104, 104]").replace("epochs = 12", "epochs = 1")
    text = re.sub(r"\[\[teachers.*?(?=\[\[st)|\[distill.*?(?=\[conv)", "", text, flags=re.S)
    text = text.replace('name = "student"', 'name = "student"\ndistill = false')
    data = mask_folders(tmp_path / "set", 40)
    written = []
    for megabytes in (5, 6):
        recipe = parse_recipe(text.replace("[images]", f"memory_mb = {megabytes}\n[images]"))
        context = prepare(
            recipe, data, tmp_path / f"{megabytes}", command="", cache=False, watch=Watch(),
            same_on_any_cores=True,
        )  # fmt: skip
        assert context.data.training.on_disk is (megabytes == 5)
        (student,) = FoldTrainer(context, context.data).students(())
        written.append(student.sha256)
    assert written[0] == written[1]
