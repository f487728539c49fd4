"""Windows, students and teachers that the trainer's tests share."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from kd_edge.distill import trainer
from kd_edge.distill.batch import Outputs, Taught
from kd_edge.distill.losses import make_loss, weigh_labels
from kd_edge.distill.trainer import (
    TrainSettings,
)
from kd_edge.examples import Examples, Groups
from kd_edge.models import build_model
from kd_edge.tasks import find_task

SETTINGS = TrainSettings(
    epochs=4,
    batch_size=16,
    learning_rate=1e-2,
    patience=None,
    seed=7,
    loss=weigh_labels(None, None),
)


HINTON = weigh_labels(make_loss("hinton", {"temperature": 3.0}), 0.1)


DISTILL = dataclasses.replace(SETTINGS, loss=HINTON)


def windows(n=75, seed=0, names=("emg", "imu")):
    """Three classes that differ in the level of two of the channels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    level = np.eye(3)[labels][:, None, None, :2]
    inputs = {name: (level + rng.normal(0, 0.4, (n, 4, 12, 2))).astype("float32") for name in names}
    return Examples(
        inputs=inputs,
        truth=labels,
        groups=Groups.each([f"r{i}" for i in range(n)], subject="S1"),
        class_names=("a", "b", "c"),
    )


def student(seed=1, name="tcn", names=("emg", "imu"), **options):
    """Small, so that most of a test is not the building of graphs."""
    shapes = windows(3, names=names).input_shapes
    small = {"units": 6, "kernel": 3, "pool": 2} if name.startswith("seed") else {"blocks": 1}
    return build_model(name, input_shapes=shapes, n_classes=3, seed=seed, options=small | options)


def train(*arguments, **settings):
    return trainer.train(*arguments, task=find_task("classification"), **settings)


def teacher_logits(data):
    rng = np.random.default_rng(11)
    return (4 * np.eye(3)[data.truth] + rng.normal(0, 1, (len(data), 3))).astype("float32")


def said(logits):
    """What a teacher of those logits said."""
    return Taught(logits, (Outputs(logits, {}),))


def stop_after(epoch):
    def progress(done):
        if done.epoch == epoch:
            raise KeyboardInterrupt

    return progress
