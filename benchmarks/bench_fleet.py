"""Many small students trained together on JAX, against one by one on TensorFlow.

Windows as of a Myo armband at 50 Hz: 1,350 of (100, 14), 18 classes, 150 more for validation. The
student is a `tcn` of 33,786 parameters that learns from a teacher of 64 channels, batch 64,
alpha 0.3, T 3. The peers are kd-edge's own trainer, and the plain Keras Distiller: a Model
subclass with compile and fit, which calls the teacher on every batch. Ours are told once what it
says.

Times are of one epoch of one model, without the first epoch, which builds graphs and programs: by
the clock, and in processor seconds of all threads, which other work on the machine changes less.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from bench_training import PlainDistiller

from kd_edge.distill.fleet.job import Fold, Part, Way
from kd_edge.distill.fleet.training import Asked, Fleet
from kd_edge.distill.losses import make_loss, weigh_labels
from kd_edge.distill.teaching import Teaching
from kd_edge.distill.trainer import TrainSettings, train
from kd_edge.examples import Examples, Groups
from kd_edge.models import build_model
from kd_edge.tasks import find_task

pytest.importorskip("jax")

SHAPE, N_CLASSES, N_TRAINING, N_HELD = (100, 14), 18, 1350, 150
FOLDS, SEEDS, EPOCHS, BATCH = 4, 2, 4, 64
HINTON = {"temperature": 3.0}


def windows(n: int, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    return Examples(
        inputs={"all": rng.normal(size=(n, *SHAPE)).astype("float32")},
        truth=rng.integers(0, N_CLASSES, n),
        groups=Groups.each([f"noise {i}" for i in range(n)]),
        class_names=tuple(f"word {i}" for i in range(N_CLASSES)),
        synthetic=True,
    )


def network(name: str, seed: int, **options) -> keras.Model:
    return build_model(
        name, input_shapes={"all": SHAPE}, n_classes=N_CLASSES, seed=seed, options=options
    )


def processor_seconds(pid: int | str) -> float:
    """User and system time of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


class Clock:
    """Seconds by the clock and of the processor, between one call and the next."""

    def __init__(self, pid_of):
        self._pid_of, self._last, self.steps = pid_of, None, []

    def __call__(self, *_):
        now = np.array([time.perf_counter(), processor_seconds(self._pid_of())])
        if self._last is not None:
            self.steps.append(now - self._last)
        self._last = now

    def each(self, models: int) -> np.ndarray:
        """Median (clock, processor) seconds of one model's epoch."""
        return np.median(self.steps, axis=0) / models


def together(teacher, parts) -> np.ndarray:
    """Seconds an epoch of one model of a fleet."""
    folds = [Fold(len(training), len(held), {}) for training, held in parts]
    stack = (tuple(Part(part.inputs, part.truth) for part in both) for both in parts)
    answers = [Teaching([teacher]).once(training) for training, _ in parts]
    models = [
        Asked(f"{seed}/{fold}", seed, fold, seed, answers=answers[fold])
        for seed in range(SEEDS)
        for fold in range(FOLDS)
    ]
    networks = [network("tcn", seed, width=36) for seed in range(SEEDS)]
    starts = [[v.numpy() for v in each.variables] for each in networks]
    way = Way(
        network=networks[0].to_json(), inputs=("all",), epochs=EPOCHS, batch_size=BATCH,
        learning_rate=1e-3, learning_rate_decay="none", patience=None, loss="hinton",
        loss_options=HINTON, alpha=0.3, label_smoothing=0.0, copies=0, augmentations={},
        rates_hz={}, task="classification", ensemble=None, drop=False, watched=True,
    )  # fmt: skip
    with contextlib.closing(Fleet(folds, stack, ("all",))) as fleet:
        clock = Clock(lambda: fleet.process_id)
        fleet.train(way, models, starts, progress=clock)
    return clock.each(len(models))


def one_by_one(teacher, parts) -> np.ndarray:
    """Seconds an epoch of one model of the trainer."""
    training, held = parts[0]
    settings = TrainSettings(
        epochs=EPOCHS, batch_size=BATCH, learning_rate=1e-3, patience=None, seed=0,
        loss=weigh_labels(make_loss("hinton", HINTON), 0.3),
    )  # fmt: skip
    clock = Clock(lambda: "self")
    train(
        network("tcn", 0, width=36), training, held, settings, name="one",
        task=find_task("classification"), teacher=Teaching([teacher]), progress=clock,
    )  # fmt: skip
    return clock.each(1)


def plain(teacher, parts) -> np.ndarray:
    """Seconds an epoch of one model of the plain Keras Distiller."""
    training, held = parts[0]
    distiller = PlainDistiller(network("tcn", 0, width=36), teacher)
    distiller.compile(
        optimizer=keras.optimizers.Adam(),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    clock = Clock(lambda: "self")
    distiller.fit(
        training.inputs["all"], training.truth, batch_size=BATCH, epochs=EPOCHS, verbose=0,
        validation_data=(held.inputs["all"], held.truth),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=clock)],
    )  # fmt: skip
    return clock.each(1)


# Keras hands symbolic variables to NumPy 2 while it builds a model of this kind.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_an_epoch_of_a_fleets_model_against_one_by_one(benchmark):
    teacher = network("conv-teacher", 100)
    parts = [(windows(N_TRAINING, f), windows(N_HELD, 100 + f)) for f in range(FOLDS)]
    seconds = {}

    def all_three():
        for road in (together, one_by_one, plain):
            seconds[road.__name__] = road(teacher, parts)

    benchmark.pedantic(all_three, rounds=1)
    ours = seconds["together"]
    print()
    for name, (clock, processor) in seconds.items():
        ratios = np.array([clock, processor]) / ours
        benchmark.extra_info[name] = {"clock_s": clock, "processor_s": processor}
        print(
            f"{name}: {clock:.3f} s by the clock ({ratios[0]:.1f} times), "
            f"{processor:.3f} s of the processor ({ratios[1]:.1f} times)"
        )
