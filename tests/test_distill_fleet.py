"""Models trained together on JAX. Oracle: `trainer.train` on TensorFlow, from the same weights.

Augmentations of strength 0 change nothing, so that both see the same examples whatever numbers
they draw.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal

import keras
import numpy as np
import pytest
from training_samples import SETTINGS, student, train, windows

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import InputChannel
from kd_edge.distill.augmentations import make_augmentations
from kd_edge.distill.fleet.job import FoldSize, Part, Way
from kd_edge.distill.fleet.training import Asked, Fleet
from kd_edge.distill.losses import make_loss, weigh_labels
from kd_edge.distill.teaching import Teaching
from kd_edge.distill.trainer import Augmenting
from kd_edge.models import build_model
from kd_edge.models.embedding import embedding_of
from kd_edge.models.fitted import fit_model

pytest.importorskip("jax")

NAMES = ("emg", "imu")
CHANNELS = {
    "emg": tuple(InputChannel("emg", f"{i}", 0.1 * i, 1 + i, rectified=True) for i in range(2)),
    "imu": tuple(InputChannel("acc", f"{i}", 0.2, 2.0, rectified=False) for i in range(2)),
}
SIZES = ((75, 20), (64, 12))
FOLDS = [(windows(n, seed=n), windows(held, seed=held)) for n, held in SIZES]
# Every loss that has no layers of its own, each a little.
LOSSES = [
    {"loss": "hinton", "temperature": {"start": 1.0, "end": 4.0, "epochs": 3}},
    {"loss": "standardised", "temperature": 2.0, "weight": 0.1},
    {"loss": "dkd", "temperature": 2.0, "target_weight": 1.0, "other_weight": 2.0, "weight": 0.1},
    {"loss": "dist", "temperature": 2.0, "example_weight": 1.0, "class_weight": 1.0, "weight": 0.1},
    {"loss": "logit-mse", "weight": 0.01, "sample_weight": "teacher-right"},
]
LAYERS = {"student_layer": "block_0_relu", "teacher_layer": "block_0_relu"}
ATTENTION = [{"loss": "attention", "weight": 0.1, **LAYERS}]
OWN_LAYERS = [
    {"loss": "fitnets", "weight": 0.01, **LAYERS},
    {"loss": "crd", "weight": 0.01, "dimension": 4, "temperature": 0.1, **LAYERS},
    {"loss": "rkd", "weight": 0.1, "distance_weight": 1.0, "angle_weight": 1.0, **LAYERS},
]
NOTHING = {"gain": 0.0, "offset": 0.0, "warp": 0.0, "rotate-ring": 0.0, "mix": 0.0}
EVERYTHING = {
    "gain": 0.1, "common-gain": 0.1, "offset": 0.1, "noise": 0.1, "channel-dropout": 0.1,
    "shift": 0.05, "warp": 0.2, "rotate-ring": 0.5, "mix": 0.4,
}  # fmt: skip
WAY = Way(
    network="", inputs=NAMES, epochs=3, batch_size=16, learning_rate=1e-2,
    learning_rate_decay="none", patience=None, loss=None, loss_options={}, alpha=None,
    label_smoothing=0.0, copies=0, augmentations={}, rates_hz=dict.fromkeys(NAMES, 100.0),
    task="classification", ensemble=None, drop=False, watched=True,
)  # fmt: skip


def way(network, **changes) -> Way:
    return dataclasses.replace(WAY, network=network.to_json(), **changes)


def start(network) -> list[np.ndarray]:
    return [variable.numpy() for variable in network.variables]


@pytest.fixture(scope="module")
def fleet():
    """The child with both folds."""
    folds = [FoldSize(n, held, CHANNELS) for n, held in SIZES]
    parts = (tuple(Part(part.inputs, part.truth) for part in fold) for fold in FOLDS)
    with contextlib.closing(Fleet(folds, parts, NAMES)) as made:
        yield made


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    """Two trained a little, each in its file."""
    place = tmp_path_factory.mktemp("teachers")
    made = []
    for fold, (training, _) in enumerate(FOLDS):
        network = student(seed=5 + fold, dropout=0.0, width=8)
        train(network, training, None, SETTINGS, name="teacher")
        network.save(place / f"{fold}.keras")
        made.append((network, place / f"{fold}.keras"))
    return made


def one_by_one(network, fold, way, seed, teacher=None):
    """The trainer's history; the network ends with the best weights."""
    loss = way.loss and make_loss(way.loss, way.loss_options)
    augmentation = None
    if way.copies:
        changes = make_augmentations(way.augmentations)
        augmentation = Augmenting(way.copies, changes, way.rates_hz, CHANNELS)
    settings = dataclasses.replace(
        SETTINGS,
        epochs=way.epochs, batch_size=way.batch_size, learning_rate=way.learning_rate,
        learning_rate_decay=way.learning_rate_decay, patience=way.patience, seed=seed,
        loss=weigh_labels(loss, way.alpha, way.label_smoothing), augmentation=augmentation,
    )  # fmt: skip
    teaching = teacher and Teaching([teacher], layers=loss.taps().teacher)
    training, held = FOLDS[fold]
    held = held if way.watched else None
    return train(network, training, held, settings, name="one", teacher=teaching)


def same(network, history, grown, tolerance=2e-4):
    for field in ("loss", "validation_loss", "accuracy", "validation_accuracy"):
        np.testing.assert_allclose(
            grown.history[field], getattr(history, field), atol=tolerance, err_msg=field
        )
    for ours, theirs in zip(grown.weights, network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=tolerance)


def test_models_of_two_folds_are_those_of_the_trainer(fleet, teachers):
    """Batch statistics, Adam, a falling rate, smoothed labels, every loss, the teacher in the step.

    The second fold's batches are whole, and the first's are not; its steps are more."""
    network = student(dropout=0.0)
    terms = {"terms": [*LOSSES, *ATTENTION]}
    asked = way(
        network, epochs=2, learning_rate_decay="cosine", loss="sum", loss_options=terms, alpha=0.3,
        label_smoothing=0.1, copies=1, augmentations=NOTHING,
    )  # fmt: skip
    untrained = start(network)
    models = [Asked("a", 3, 0, 0, (teachers[0][1],)), Asked("b", 4, 1, 0, (teachers[1][1],))]
    told = []
    grown = fleet.train(asked, models, [untrained], progress=told.append)
    assert [(epoch.epoch, epoch.models) for epoch in told] == [(1, 2), (2, 2)]
    history = one_by_one(network, 1, asked, 4, teachers[1][0])
    same(network, history, grown[1])
    assert not np.allclose(grown[0].weights[0], grown[1].weights[0], atol=1e-3)


def test_trees_teach_as_in_the_trainer(fleet, tmp_path):
    """Two folds' trees, which differ, are asked in the step."""
    trees = [grown_trees(training) for training, _ in FOLDS]
    files = [tmp_path / f"{fold}.keras" for fold in range(len(trees))]
    for network, file in zip(trees, files, strict=True):
        network.save(file)
    network = student(dropout=0.0)
    asked = way(
        network, epochs=2, loss="hinton", loss_options={"temperature": 1.0}, alpha=0.0, copies=1,
        augmentations={"swap-channels": 0.0},
    )  # fmt: skip
    untrained = start(network)
    models = [Asked("a", 3, 0, 0, (files[0],)), Asked("b", 4, 1, 0, (files[1],))]
    grown = fleet.train(asked, models, [untrained])
    same(network, one_by_one(network, 1, asked, 4, trees[1]), grown[1])


def grown_trees(training) -> keras.Model:
    options = {"trees": 5, "leaves": 12, "segments": 1}
    network = build_model(
        "extra-trees", input_shapes=training.input_shapes, n_classes=3, seed=0, options=options
    )
    vectors = np.asarray(embedding_of(network)(list(training.inputs.values())))
    fit_model("extra-trees", network, vectors, training.truth, seed=0, options=options)
    return network


def test_what_fills_the_last_batch_counts_for_nothing(fleet):
    """Oracle: a network without batch statistics, on a fold whose last batch is not whole."""
    network = plain()
    asked = way(network, patience=1, epochs=6, learning_rate=0.5)
    untrained = start(network)
    grown = fleet.train(asked, [Asked("a", 3, 0, 0), Asked("b", 4, 1, 0)], [untrained])
    for fold, seed in ((0, 3), (1, 4)):
        for variable, value in zip(network.variables, untrained, strict=True):
            variable.assign(value)
        same(network, one_by_one(network, fold, asked, seed), grown[fold], tolerance=2e-3)
    # Their patience ends them after different epochs: each keeps its own best.
    lengths = [len(one.history["loss"]) for one in grown]
    assert max(lengths) < 6 or min(lengths) < max(lengths)


def test_without_a_part_that_is_watched_the_last_epoch_counts(fleet):
    """Oracle: the trainer without validation windows, on the fold whose batches are whole."""
    network = student(dropout=0.0)
    asked = way(network, watched=False)
    untrained = start(network)
    (grown,) = fleet.train(asked, [Asked("a", 4, 1, 0)], [untrained])
    for variable, value in zip(network.variables, untrained, strict=True):
        variable.assign(value)
    history = one_by_one(network, 1, asked, 4)
    assert grown.history["validation_loss"] == history.validation_loss == ()
    same(network, history, grown)


def plain():
    """A network of layers without statistics."""
    keras.utils.set_random_seed(1)
    inputs = [keras.Input((4, 12, 2), name=name) for name in NAMES]
    flat = [keras.layers.Flatten()(x) for x in inputs]
    x = keras.layers.Dense(8, "tanh")(keras.layers.Concatenate()(flat))
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))


def test_every_loss_and_augmentation_of_a_recipe_runs(fleet, teachers):
    """Oracle: finite losses of models whose seeds differ, in groups that a small memory makes."""
    network = student()
    terms = {"terms": [*LOSSES, *ATTENTION, *OWN_LAYERS]}
    asked = way(
        network, epochs=1, loss="sum", loss_options=terms, alpha=0.3, copies=1,
        augmentations=EVERYTHING, ensemble="accuracy-weighted",
    )  # fmt: skip
    both = tuple(file for _, file in teachers)
    models = [Asked("a", 3, 0, 0, both), Asked("b", 4, 0, 0, both), Asked("c", 3, 1, 0, both)]
    told = []
    grown = fleet.train(asked, models, [start(network)], most_bytes=1, progress=told.append)
    assert [epoch.models for epoch in told] == [2, 1]
    losses = [one.history["loss"][0] for one in grown]
    assert np.isfinite(losses).all()
    assert len(set(losses)) == 3


def test_what_teachers_said_once_is_learned_from_as_in_the_trainer(fleet, teachers):
    """Oracle: the trainer, which asks them once where nothing is augmented."""
    network = student(dropout=0.0)
    asked = way(
        network,
        epochs=1,
        batch_size=32,
        loss="hinton",
        loss_options={"temperature": 3.0},
        alpha=0.1,
    )
    untrained = start(network)
    teacher = teachers[1][0]
    answers = Teaching([teacher]).once(FOLDS[1][0])
    (grown,) = fleet.train(asked, [Asked("b", 4, 1, 0, answers=answers)], [untrained])
    same(network, one_by_one(network, 1, asked, 4, teacher), grown)


def test_teachers_that_give_probabilities_and_models_that_diverge_are_refused(fleet, tmp_path):
    """Oracle: the errors of the trainer."""
    network = plain()
    inputs = [keras.Input((4, 12, 2), name=name) for name in NAMES]
    sure = keras.Model(inputs, keras.layers.Softmax()(network(inputs)))
    sure.save(tmp_path / "sure.keras")
    asked = way(
        network, loss="hinton", loss_options={"temperature": 3.0}, alpha=0.1, copies=1,
        augmentations=NOTHING,
    )  # fmt: skip
    model = Asked("a", 3, 0, 0, (tmp_path / "sure.keras",))
    with pytest.raises(KdEdgeError) as caught:
        fleet.train(asked, [model], [start(network)])
    assert caught.value.code == "KD_NOT_LOGITS"
    far = [np.full_like(array, np.nan) for array in start(network)]
    with pytest.raises(KdEdgeError, match="training of seed-1/a diverged") as caught:
        fleet.train(way(network), [Asked("seed-1/a", 3, 0, 0)], [far])
    assert caught.value.code == "KD_DIVERGED"


def test_a_process_that_dies_is_an_error_and_the_next_job_has_another(fleet):
    """Oracle: SIGKILL, as of a system without memory."""
    network = plain()
    killed = []

    def kill(done):
        killed.append(fleet.process_id)
        os.kill(fleet.process_id, signal.SIGKILL)

    with pytest.raises(KdEdgeError, match="SIGKILL") as caught:
        fleet.train(
            way(network, epochs=500), [Asked("a", 3, 0, 0)], [start(network)], progress=kill
        )
    assert caught.value.code == "KD_FLEET_CRASH"
    (grown,) = fleet.train(way(network, epochs=1), [Asked("a", 3, 0, 0)], [start(network)])
    assert fleet.process_id not in killed
    assert len(grown.history["loss"]) == 1


def test_interrupting_ends_the_process(fleet):
    """Oracle: no such process is left."""
    network = plain()
    ids = []

    def interrupt(done):
        ids.append(fleet.process_id)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fleet.train(
            way(network, epochs=500), [Asked("a", 3, 0, 0)], [start(network)], progress=interrupt
        )
    assert fleet.process_id is None
    with pytest.raises(ProcessLookupError):
        os.kill(ids[0], 0)
