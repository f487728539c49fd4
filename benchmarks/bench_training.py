"""An epoch of distilling the seed's single student, against the plain Keras Distiller.

Both see 3,500 windows of (10, 40, 21) in batches of 64, 50 classes, alpha 0.1, T 3, and no
validation. The plain one is what the Keras documentation shows: a Model subclass that calls
the teacher on every batch, here on the seeds' TimeDistributed models with keras.layers.LSTM,
dropout and recurrent dropout. Ours calls the teacher once, before; augmented, it calls the teacher
on every changed batch. The first epoch of each builds
graphs and is not counted. The two are timed in turns, so that a busy machine troubles both.
"""

from __future__ import annotations

import statistics
import time

import keras
import numpy as np
import pytest
from keras import layers, ops

from kd_edge.distill.augmentations import Augmenter, make_augmentations
from kd_edge.distill.losses import make_loss, weigh_labels
from kd_edge.distill.objective import Objective
from kd_edge.distill.steps import Lesson, Steps
from kd_edge.distill.tapped import Tapped
from kd_edge.distill.teaching import Teaching
from kd_edge.examples import Examples, Groups
from kd_edge.models import build_model
from kd_edge.tasks import find_task

N_WINDOWS, N_CLASSES, BATCH, ALPHA, TEMPERATURE = 3500, 50, 64, 0.1, 3.0
ROUNDS = 5


class PlainDistiller(keras.Model):
    """The Distiller of keras.io: the teacher runs in each step."""

    def __init__(self, student, teacher):
        super().__init__()
        self.student = student
        self.teacher = teacher
        self.hard = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.soft = keras.losses.KLDivergence()

    def call(self, x):
        return self.student(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        targets = ops.softmax(self.teacher(x, training=False) / TEMPERATURE, axis=1)
        answers = ops.softmax(y_pred / TEMPERATURE, axis=1)
        distilled = self.soft(targets, answers) * TEMPERATURE**2
        return ALPHA * self.hard(y, y_pred) + (1 - ALPHA) * distilled


def time_distributed(filters: tuple[int, int], units: int) -> keras.Model:
    """The seeds' single model as they wrote it, without its softmax."""
    inputs = x = keras.Input((10, 40, 21))
    for width in filters:
        x = layers.TimeDistributed(layers.Conv1D(width, 7, activation="sigmoid"))(x)
        x = layers.TimeDistributed(layers.AveragePooling1D(3))(x)
    x = layers.TimeDistributed(layers.Flatten())(x)
    x = layers.LSTM(units, return_sequences=True, dropout=0.2, recurrent_dropout=0.2)(x)
    x = layers.LSTM(units, dropout=0.2, recurrent_dropout=0.2)(x)
    x = layers.Dropout(0.2)(layers.BatchNormalization()(x))
    return keras.Model(inputs, layers.Dense(N_CLASSES)(x))


@pytest.fixture(scope="module")
def windows() -> Examples:
    rng = np.random.default_rng(0)
    return Examples(
        inputs={"fused": rng.normal(size=(N_WINDOWS, 10, 40, 21)).astype("float32")},
        truth=rng.integers(0, N_CLASSES, N_WINDOWS),
        groups=Groups.each([f"noise {i}" for i in range(N_WINDOWS)]),
        class_names=tuple(f"sign {i}" for i in range(N_CLASSES)),
        synthetic=True,
    )


def plain_epoch(windows):
    """A function that trains one epoch the plain way."""
    distiller = PlainDistiller(time_distributed((2, 4), 50), time_distributed((12, 24), 100))
    distiller.compile(
        optimizer=keras.optimizers.Adam(),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    x, y = windows.inputs["fused"], windows.truth
    return lambda: distiller.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)


def our_epoch(windows, *, augmented: bool):
    """A function that trains one epoch as `kd_edge.distill.trainer.train` does.

    Args:
        augmented: every window is changed, and the teacher runs in each step; else its outputs
            are computed once, before.
    """
    shapes = {"input_shapes": windows.input_shapes, "n_classes": N_CLASSES, "options": {}}
    student = Tapped(build_model("seed-single-student", seed=1, **shapes), (), "the student")
    teaching = Teaching([build_model("seed-single-teacher", seed=2, **shapes)])
    loss = weigh_labels(make_loss("hinton", {"temperature": TEMPERATURE}), ALPHA)
    objective = Objective(loss, find_task("classification"), student, {})
    if augmented:
        changes = make_augmentations({"gain": 0.2, "offset": 0.1, "shift": 0.1})
        augmenter = Augmenter(changes, {"fused": 200.0}, seed=1)
        told = {"teaching": teaching, "augmenter": augmenter, "copies": 1}
    else:
        told = {"taught": teaching.once(windows)}
    lesson = Lesson(windows.inputs, windows.truth, **told)
    optimizer = keras.optimizers.Adam()
    steps = Steps(student, objective, optimizer, lesson, BATCH)
    optimizer.build(steps.trainable_variables)
    rng = np.random.default_rng(0)
    # Of an augmented epoch the changed half: as many windows as an epoch of the plain Distiller.
    first = N_WINDOWS if augmented else 0
    return lambda: steps.run_epoch(first + rng.permutation(N_WINDOWS), 0)


# Keras hands symbolic variables to NumPy 2 while it builds a model of this kind.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("augmented", [False, True], ids=["outputs once", "augmented in the step"])
def test_an_epoch_of_distillation_against_the_plain_distiller(benchmark, windows, augmented):
    plain, ours = plain_epoch(windows), our_epoch(windows, augmented=augmented)
    for _ in range(2):
        plain()
        ours()
    plain_seconds = []

    def another_plain():
        started = time.perf_counter()
        plain()
        plain_seconds.append(time.perf_counter() - started)

    benchmark.pedantic(ours, setup=another_plain, rounds=ROUNDS, warmup_rounds=0)
    medians = statistics.median(plain_seconds), benchmark.stats.stats.median
    best = min(plain_seconds), benchmark.stats.stats.min
    benchmark.extra_info["plain_keras_distiller_seconds"] = plain_seconds
    benchmark.extra_info["ratio_of_medians"] = medians[0] / medians[1]
    benchmark.extra_info["ratio_of_best"] = best[0] / best[1]
    for name, (theirs, mine) in (("median", medians), ("best", best)):
        print(
            f"\n{name} epoch: plain Keras Distiller {theirs:.2f} s, kd-edge {mine:.2f} s, "
            f"ratio {theirs / mine:.1f}",
            end="",
        )
    print()
