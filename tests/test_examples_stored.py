"""Examples larger than memory: rows on disk, and training on them. Oracle: the same in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from image_samples import KINDS, class_folders

from kd_edge.base.pixels import PixelInput
from kd_edge.examples import Examples, Groups
from kd_edge.examples.pictures import image_examples
from kd_edge.examples.stored import OnDisk, write_rows
from kd_edge.images import READERS
from kd_edge.pipeline.dataset import load_dataset
from kd_edge.recipe import parse_recipe

RECIPE = """
name = "x"
[dataset]
reader = "image-folder"
memory_mb = 1
[images]
size = [160, 160]
channels = "rgb"
resize = "stretch"
[[split.test]]
kind = "random"
fraction = 0.2
[split.validation]
kind = "random"
fraction = 0.2
[[students]]
name = "s"
model = "image-cnn"
epochs = 1
distill = false
"""


@pytest.fixture
def both(tmp_path):
    rng = np.random.default_rng(0)
    array = rng.normal(size=(40, 3, 2)).astype(np.float32)
    return array, write_rows(tmp_path / "a.npy", array, array.shape, np.float32)


def test_rows_on_disk_are_those_of_the_array(both):
    array, stored = both
    some = np.array([7, 3, 3, 39])
    assert (stored.shape, len(stored), stored.dtype) == (array.shape, 40, np.float32)
    for index in (5, slice(4, 9), slice(None), some):
        np.testing.assert_array_equal(stored[index], array[index])
    np.testing.assert_array_equal(np.asarray(stored), array)
    taken = stored.take(some)
    assert isinstance(taken, OnDisk)
    np.testing.assert_array_equal(taken[1:3], array[some][1:3])
    np.testing.assert_array_equal(taken.take(np.array([2, 0]))[:], array[some][[2, 0]])
    np.testing.assert_array_equal(np.concatenate(list(stored.blocks())), array)
    np.testing.assert_array_equal(np.load(stored._path), array)


def test_examples_keep_what_is_on_disk_there(both):
    array, stored = both
    truth, groups = np.arange(40) % 2, Groups.each([str(i) for i in range(40)])
    examples = Examples({"x": stored}, truth, groups, ("a", "b"))
    taken = examples.take(np.array([4, 2])).only(("x",))
    assert taken.on_disk
    assert taken.input_shapes == {"x": (3, 2)}
    np.testing.assert_array_equal(taken.in_memory().inputs["x"], array[[4, 2]])
    assert not taken.in_memory().on_disk


def test_images_are_the_same_on_disk_and_in_memory(tmp_path):
    images = READERS["image-folder"].read(class_folders(tmp_path / "set", 6)).images
    wanted = PixelInput(size=(8, 8), channels="rgb", resize="pad")
    held = image_examples(images, wanted, KINDS)
    stored = image_examples(images, wanted, KINDS, file=tmp_path / "x.npy")
    assert stored.on_disk
    np.testing.assert_array_equal(stored.inputs["image"][:], held.inputs["image"])
    np.testing.assert_array_equal(stored.truth, held.truth)


@pytest.mark.parametrize(("n", "on_disk"), [(3, False), (4, True)])
def test_images_beyond_the_recipe_s_megabytes_stay_on_disk(tmp_path, cache, n, on_disk):
    """Oracle: 160 x 160 x 3 float32 are 307,200 bytes: three are within 1 MB, four are not."""
    recipe = parse_recipe(RECIPE)
    class_folders(tmp_path / "set", n)
    found = load_dataset(recipe, tmp_path / "set", file=tmp_path / "x.npy")
    assert found.examples.on_disk is on_disk
    assert (tmp_path / "x.npy").exists() is on_disk
    more = recipe.dataset.model_copy(update={"memory_mb": 2})
    again = load_dataset(
        recipe.model_copy(update={"dataset": more}), tmp_path / "set", file=tmp_path / "x.npy"
    )
    assert (again.key, again.examples.on_disk) == (found.key, False)


TRAINING = """
import json, sys
from pathlib import Path
import numpy as np
from kd_edge.distill.reproducible import one_order_of_sums
with one_order_of_sums():
    import keras
    from kd_edge.distill.augmentations import make_augmentations
    from kd_edge.distill.losses import make_loss, weigh_labels
    from kd_edge.distill.teaching import Teaching
    from kd_edge.distill.trainer import Augmenting, TrainSettings, train
    from kd_edge.examples import Examples, Groups
    from kd_edge.examples.stored import OnDisk
    from kd_edge.tasks import find_task

    def network(shape, seed):
        keras.utils.set_random_seed(seed)
        image = keras.Input(shape, name="image")
        x = keras.layers.Flatten()(keras.layers.AveragePooling2D(4)(image))
        return keras.Model(image, keras.layers.Dense(2, name="logits")(x))

    def learn(array, copies=0, epochs=2):
        n = len(array)
        examples = Examples(
            {"image": array}, np.arange(n) % 2, Groups.each([""] * n), ("a", "b")
        )
        student, teacher = (network(array.shape[1:], seed) for seed in (1, 2))
        augmenting = Augmenting(copies, make_augmentations({"offset": 0.1}), {}) if copies else None
        settings = TrainSettings(
            epochs=epochs, batch_size=16, learning_rate=0.01, patience=None, seed=3,
            loss=weigh_labels(make_loss("hinton", {"temperature": 2.0}), 0.5),
            augmentation=augmenting,
        )
        history = train(student, examples, None, settings, name="s",
                        task=find_task("classification"), teacher=Teaching([teacher]))
        return [history.loss, [w.tolist() for w in student.get_weights()]]

    small, large = (OnDisk(Path(name)) for name in sys.argv[1:3])
    said = {"same": [learn(small, c) == learn(small[:], c) for c in (0, 1)]}

    def peak():  # bytes; getrusage's begins with that of whoever started this process
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])

    def grown(array):  # bytes that the process's peak grows by while it learns
        before = peak()
        said["finite"] = bool(np.isfinite(learn(array, epochs=1)[0]).all())
        return peak() - before

    said["bytes"] = large[:1].nbytes * len(large)
    said["grown"] = grown(large)
print(json.dumps(said))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count other bytes")
def test_a_set_on_disk_trains_with_half_its_size_and_the_bits_of_one_in_memory(tmp_path):
    """Oracle: the same training in memory, to the bit, with augmented copies too; and the process's
    peak of resident memory: less than half of the set. In memory it grows by more, on top of that
    peak; by how much is the system's choice, which may take idle pages back meanwhile."""
    rng = np.random.default_rng(0)
    small = rng.normal(size=(50, 8, 8, 1)).astype(np.float32)
    write_rows(tmp_path / "small.npy", small, small.shape, np.float32)
    # 400 MB of zeros, which take no room on the disk.
    shape = (4000, 160, 160, 1)
    with open(tmp_path / "large.npy", "wb") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.truncate(stream.tell() + 4 * int(np.prod(shape)))
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, tmp_path / "small.npy", tmp_path / "large.npy"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["same"] == [True, True]
    assert said["finite"]
    assert said["grown"] < said["bytes"] / 2


def test_groups_of_a_part_are_those_of_its_rows():
    groups = replace(Groups.each(["r", "s"], subject="S"), session=np.array(["am", "pm"]))
    taken = groups.take(np.array([1]))
    assert (taken.session.tolist(), taken.subject.tolist(), taken.names) == (
        ["pm"],
        ["S"],
        ("r", "s"),
    )
