"""The same seed gives the same bytes on one machine, however many cores are free and busy."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import zipfile

import pytest
from waiting import ended, program, wait_until

BOUND = {"bound_s": 900.0}

# Distils a student with dropout on augmented windows and fits both baselines, on the cores named;
# prints digests of the .keras file, of the teacher-like logits and of the baselines' scores.
SCRIPT = """
import hashlib, os, sys
os.sched_setaffinity(0, {int(core) for core in sys.argv[1].split(",")})
import numpy as np
from kd_edge.distill.reproducible import one_order_of_sums

def tell(name, data):
    print("sha256", name, hashlib.sha256(data).hexdigest())

with one_order_of_sums() as fixed:
    from kd_edge.distill.augmentations import make_augmentations
    from kd_edge.distill.losses import make_loss, weigh_labels
    from kd_edge.distill.teaching import Teaching
    from kd_edge.distill.trainer import Augmenting, TrainSettings, predict_logits, train
    from kd_edge.measure.baselines import BASELINES, scores_of
    from kd_edge.models import build_model
    from kd_edge.pipeline.keras_files import save_model
    from kd_edge.tasks import find_task
    from kd_edge.examples import Examples, Groups
    from pathlib import Path

    assert fixed
    print("begun", flush=True)
    rng = np.random.default_rng(0)
    labels = np.arange(96) % 5
    signal = rng.normal(size=(96, 10, 40, 9)) + labels[:, None, None, None] / 3
    windows = Examples(
        inputs={"all": signal.astype("f4")}, truth=labels,
        groups=Groups.each([str(i) for i in range(96)], subject="S1"),
        class_names=tuple("abcde"), synthetic=True,
    )
    changes = make_augmentations({"gain": 0.2, "offset": 0.1, "shift": 0.1})
    model, teacher = (
        build_model(name, input_shapes=windows.input_shapes, n_classes=5, seed=3, options={})
        for name in ("tcn", "conv-teacher")
    )
    settings = TrainSettings(
        epochs=2, batch_size=64, learning_rate=1e-3, patience=None, seed=3,
        loss=weigh_labels(make_loss("hinton", {"temperature": 3.0}), 0.3),
        augmentation=Augmenting(copies=2, augmentations=changes, rates_hz={"all": 200.0}),
    )
    train(
        model, windows, windows, settings, name="student", task=find_task("classification"),
        teacher=Teaching([teacher]),
    )
    save_model(model, Path(sys.argv[2]))
    tell("file", Path(sys.argv[2]).read_bytes())
    tell("logits", predict_logits(model, windows).tobytes())
    flat = signal.reshape(96, -1)[:, ::40]
    for name in ("lda", "random-forest"):
        classifier = BASELINES[name](3).fit(flat, labels)
        tell(name, scores_of(classifier, flat).tobytes())
"""


def test_one_core_and_two_busy_ones_give_the_same_bytes(tmp_path):
    """Oracle: SHA-256 of what two processes wrote, one on a single core, one on two, while two
    others keep these busy. TensorFlow's own choice of threads gives other weights here."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        pytest.skip("one core alone: there is nothing to compare it with")
    spin = "import os\nos.nice(5)\nwhile True: pass"
    places = {"one": f"{cores[0]}", "two": f"{cores[0]},{cores[1]}"}
    with contextlib.ExitStack() as stack:
        trained = [
            stack.enter_context(
                program(
                    [sys.executable, "-c", SCRIPT, on, tmp_path / f"{name}.keras"],
                    f"training on {name}",
                    stdout=stack.enter_context((tmp_path / name).open("w")),
                    stderr=subprocess.STDOUT,
                    **BOUND,
                )
            )
            for name, on in places.items()
        ]
        wait_until(
            lambda: all(
                "begun" in (tmp_path / name).read_text() or process.poll() is not None
                for name, process in zip(places, trained, strict=True)
            ),
            "both to begin training, all imported",
            **BOUND,
        )
        for _ in range(2):
            stack.enter_context(program([sys.executable, "-c", spin], "two trainings", **BOUND))
        statuses = [ended(process, "training", **BOUND) for process in trained]
    one, two = ((tmp_path / name).read_text() for name in places)
    assert statuses == [0, 0], one + two
    found = [re.findall(r"^sha256 (.*)", said, re.MULTILINE) for said in (one, two)]
    assert len(found[0]) == 4
    assert found[0] == found[1]


def test_a_model_file_holds_no_date_and_no_address(tmp_path):
    """Oracle: Keras's own file of the same model, which has both, loads to the same weights."""
    import keras
    import numpy as np

    from kd_edge.models import build_model
    from kd_edge.models.keras_start import load_keras
    from kd_edge.pipeline.keras_files import save_model

    model = build_model("tcn", input_shapes={"x": (40, 3)}, n_classes=3, seed=1, options={})
    save_model(model, tmp_path / "ours.keras")
    model.save(tmp_path / "keras.keras")
    with zipfile.ZipFile(tmp_path / "keras.keras") as theirs:
        assert b"date_saved" in theirs.read("metadata.json")
    with zipfile.ZipFile(tmp_path / "ours.keras") as ours:
        assert b"date_saved" not in ours.read("metadata.json")
        assert {info.date_time[0] for info in ours.infolist()} == {1980}
        assert b'"shared_object_id": 0' in ours.read("config.json")
    loaded = load_keras(tmp_path / "ours.keras")
    expected = keras.models.load_model(tmp_path / "keras.keras", compile=False)
    for found, weights in zip(loaded.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(found, weights)
