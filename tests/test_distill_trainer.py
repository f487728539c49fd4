"""The trainer: it learns, resumes, survives a kill, and refuses what makes no sense."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from scipy.special import log_softmax  # noqa: E402
from training_samples import (  # noqa: E402
    DISTILL,
    SETTINGS,
    said,
    stop_after,
    student,
    teacher_logits,
    train,
    windows,
)
from waiting import ended, program  # noqa: E402

from kd_edge.distill.trainer import (  # noqa: E402
    predict_logits,
)
from kd_edge.examples import Examples, Groups  # noqa: E402


def taught(data):
    return said(teacher_logits(data))


def test_a_student_learns_from_its_teacher():
    """Oracle: classes that a threshold tells apart; the order of a stronger and a weaker epoch."""
    data, held_out = windows(150), windows(60, seed=5)
    model = student()
    settings = dataclasses.replace(DISTILL, epochs=12)
    history = train(model, data, held_out, settings, name="s", teacher=taught(data))
    answers = predict_logits(model, held_out).argmax(axis=1)
    assert (answers == held_out.truth).mean() > 0.9
    assert history.loss[-1] < history.loss[0]


def test_best_validation_weights_come_back():
    """Oracle: the validation accuracy that the best epoch had, measured again."""
    data, held_out = windows(60), windows(45, seed=5)
    model = student()
    history = train(model, data, held_out, SETTINGS, name="s")
    best = int(np.argmin(history.validation_loss))
    answers = predict_logits(model, held_out).argmax(axis=1)
    assert (answers == held_out.truth).mean() == pytest.approx(history.validation_accuracy[best])
    assert len(history.loss) == len(history.seconds) == 4


def test_patience_ends_training():
    """Oracle: at a huge learning rate validation soon stops getting better."""
    settings = dataclasses.replace(SETTINGS, epochs=40, patience=2, learning_rate=0.5)
    history = train(student(), windows(48), windows(24, seed=5), settings, name="s")
    best = int(np.argmin(history.validation_loss))
    assert len(history.loss) == best + 3 < 40


@pytest.mark.parametrize(
    ("decay", "shrunk"),
    [("none", [1] * 10), ("cosine", [(1 + np.cos(np.pi * t / 10)) / 2 for t in range(10)])],
)
def test_the_learning_rate_falls_as_asked(decay, shrunk):
    """Oracle: under a gradient that never changes, each of Adam's steps is its learning rate.

    Logits of -50 and 50 with the first class right: the gradient is (-1, 1) whatever the step.
    Two windows, one a step, make ten steps of five epochs.
    """
    two = Examples(
        inputs={"x": np.ones((2, 1), np.float32)},
        truth=np.array([0, 0]),
        groups=Groups.each(["r0", "r1"], subject="S1"),
        class_names=("a", "b"),
    )
    inputs = keras.Input((1,), name="x")
    dense = keras.layers.Dense(2, use_bias=False, name="logits")
    model = keras.Model([inputs], dense(inputs))
    dense.set_weights([np.array([[-50.0, 50.0]])])
    settings = dataclasses.replace(
        SETTINGS, epochs=5, batch_size=1, learning_rate=0.1, learning_rate_decay=decay
    )
    train(model, two, None, settings, name="s")
    (kernel,) = dense.get_weights()
    np.testing.assert_allclose(kernel[0, 0], -50 + 0.1 * sum(shrunk), rtol=1e-5)


def test_validation_figures_are_the_labels_loss_and_the_share_of_right_answers():
    """Oracle: SciPy, on logits that no training changes; the second class is always answered."""
    logits = np.array([0.5, 2.0, -1.0])
    labels = np.array([0, 1, 2, 2, 2])
    held_out = Examples(
        inputs={"x": np.ones((5, 1), np.float32)},
        truth=labels,
        groups=Groups.each([f"r{i}" for i in range(5)], subject="S1"),
        class_names=("a", "b", "c"),
    )
    inputs = keras.Input((1,), name="x")
    dense = keras.layers.Dense(3, use_bias=False, name="logits")
    model = keras.Model([inputs], dense(inputs))
    dense.set_weights([logits[None]])
    settings = dataclasses.replace(SETTINGS, epochs=2, batch_size=2, learning_rate=1e-9)
    history = train(model, held_out, held_out, settings, name="s")
    loss = -log_softmax(logits)[labels].mean()
    for found, expected in (
        (history.loss, loss),
        (history.validation_loss, loss),
        (history.accuracy, 0.2),
        (history.validation_accuracy, 0.2),
    ):
        np.testing.assert_allclose(found, [expected] * 2, rtol=1e-5)


def test_progress_tells_each_epoch():
    """Oracle: the history that `train` returns."""
    seen = []
    history = train(
        student(), windows(48), windows(24, seed=5), SETTINGS, name="mine", progress=seen.append
    )
    assert [p.epoch for p in seen] == [1, 2, 3, 4]
    assert tuple(p.loss for p in seen) == history.loss
    assert tuple(p.validation_accuracy for p in seen) == history.validation_accuracy
    assert seen[0].model == "mine"
    assert seen[0].seconds_left is None
    assert seen[1].seconds_left > 0
    assert seen[-1].seconds_left == 0


def test_an_interrupted_run_goes_on_to_the_same_model(tmp_path):
    """Oracle: the run that was not interrupted, bit for bit, dropout and order of windows too."""
    data, held_out = windows(names=("emg",)), windows(30, seed=5, names=("emg",))
    arguments = {"name": "s", "teacher": taught(data)}

    def recurrent():
        return student(name="seed-single-student", names=("emg",))

    whole = recurrent()
    expected = train(whole, data, held_out, DISTILL, **arguments)
    arguments["checkpoint"] = tmp_path / "s.ckpt"
    with pytest.raises(KeyboardInterrupt):
        train(recurrent(), data, held_out, DISTILL, progress=stop_after(2), **arguments)
    resumed, seen = recurrent(), []
    history = train(resumed, data, held_out, DISTILL, progress=seen.append, **arguments)
    assert [p.epoch for p in seen] == [3, 4]
    assert history.loss == expected.loss
    assert history.validation_loss == expected.validation_loss
    for ours, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_finished_run_is_not_run_again(tmp_path):
    """Oracle: no epoch is reported, and the answers are the first run's."""
    data, path = windows(48), tmp_path / "s.ckpt"
    first, again, seen = student(), student(), []
    train(first, data, None, SETTINGS, name="s", checkpoint=path)
    train(again, data, None, SETTINGS, name="s", checkpoint=path, progress=seen.append)
    assert seen == []
    np.testing.assert_array_equal(predict_logits(again, data), predict_logits(first, data))


@pytest.fixture(scope="module")
def someones_checkpoint(tmp_path_factory):
    """The bytes of a checkpoint of a finished run of `student` on 48 windows."""
    path = tmp_path_factory.mktemp("other") / "s.ckpt"
    train(student(), windows(48), None, SETTINGS, name="s", checkpoint=path)
    return path.read_bytes()


@pytest.mark.parametrize("changed", ["settings", "data", "weights", "file"])
def test_a_checkpoint_of_something_else_is_not_used(tmp_path, someones_checkpoint, changed):
    """Oracle: all epochs run again for other settings, data or weights, or a file that is none."""
    path = tmp_path / "s.ckpt"
    path.write_bytes(b"not a checkpoint" if changed == "file" else someones_checkpoint)
    settings = dataclasses.replace(SETTINGS, learning_rate=2e-2 if changed == "settings" else 1e-2)
    data = windows(48, seed=1 if changed == "data" else 0)
    model, seen = student(seed=2 if changed == "weights" else 1), []
    train(model, data, None, settings, name="s", checkpoint=path, progress=seen.append)
    assert len(seen) == 4


KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import test_distill_trainer as t
data = t.windows()
t.train(
    t.student(), data, t.windows(30, seed=5), t.DISTILL, name="s",
    teacher=t.taught(data), checkpoint=Path(sys.argv[2]),
    progress=lambda done: done.epoch == 2 and (print("two", flush=True), sys.stdin.read()),
)
"""


def test_a_killed_run_loses_at_most_one_epoch(tmp_path):
    """Oracle: SIGKILL after the second epoch; the same call starts at the third."""
    path = tmp_path / "s.ckpt"
    command = [sys.executable, "-W", "ignore", "-c", KILLED, str(Path(__file__).parent), str(path)]
    with program(
        command,
        "the second epoch of a training",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as child:
        assert "two\n" in child.stdout  # it goes no further by itself
        child.send_signal(signal.SIGKILL)
        assert ended(child, "the end of a killed training") == -signal.SIGKILL
    data, seen = windows(), []
    history = train(
        student(),
        data,
        windows(30, seed=5),
        DISTILL,
        name="s",
        teacher=taught(data),
        checkpoint=path,
        progress=seen.append,
    )
    assert [done.epoch for done in seen] == [3, 4]
    assert len(history.loss) == 4
