"""The trainer's steps: what an epoch computes, changes inside it, and what it refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from scipy.special import log_softmax, softmax  # noqa: E402
from training_samples import (  # noqa: E402
    DISTILL,
    HINTON,
    SETTINGS,
    said,
    stop_after,
    student,
    teacher_logits,
    train,
    windows,
)

from kd_edge.base.errors import KdEdgeError  # noqa: E402
from kd_edge.base.front_end import InputChannel  # noqa: E402
from kd_edge.distill.augmentations import (  # noqa: E402
    AUGMENTATIONS,
    Augmenter,
    make_augmentations,
)
from kd_edge.distill.losses import make_loss, weigh_labels  # noqa: E402
from kd_edge.distill.teaching import Teaching  # noqa: E402
from kd_edge.distill.trainer import (  # noqa: E402
    Augmenting,
    Predictor,
    predict_logits,
)
from kd_edge.examples import Examples, Groups  # noqa: E402

MSE = weigh_labels(make_loss("logit-mse", {}), 0.5)


SAME = Augmenting(copies=1, augmentations=make_augmentations({"gain": 0.0}), rates_hz={})


@pytest.mark.parametrize("batch_size", [16, 20])  # of 48 windows: with the last as large, or not
def test_an_epoch_computes_what_keras_own_steps_compute(batch_size):
    """Oracle: Keras' compile and train_on_batch, with the loss written out; dropout off."""
    data, logits = windows(48), teacher_logits(windows(48))
    model, plain = student(dropout=0.0), student(dropout=0.0)
    settings = dataclasses.replace(DISTILL, epochs=2, batch_size=batch_size)
    history = train(model, data, None, settings, name="s", teacher=said(logits))

    def loss(packed, answers):
        labels = keras.ops.cast(packed[:, 0], "int32")
        hard = keras.losses.sparse_categorical_crossentropy(labels, answers, from_logits=True)
        soft = keras.ops.softmax(packed[:, 1:] / 3) * keras.ops.log_softmax(answers / 3)
        return 0.1 * hard - 0.9 * 9 * keras.ops.sum(soft, axis=-1)

    plain.compile(optimizer=keras.optimizers.Adam(1e-2), loss=loss)
    packed = np.concatenate([data.truth[:, None].astype("float32"), logits], axis=1)
    inputs = list(data.inputs.values())
    means = []
    for epoch in range(2):
        order = np.random.default_rng([7, epoch]).permutation(48)
        total = 0.0
        for start in range(0, 48, batch_size):
            chosen = order[start : start + batch_size]
            total += len(chosen) * plain.train_on_batch([x[chosen] for x in inputs], packed[chosen])
        means.append(total / 48)
    np.testing.assert_allclose(history.loss, means, rtol=1e-4)
    for ours, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_teachers_asked_in_each_step_teach_as_those_asked_once():
    """Oracle: the run on outputs that were computed before; the copies that gain 0 leaves alone."""
    data = windows(48)
    teaching = Teaching([student(seed=5)])
    before, during = student(dropout=0.0), student(dropout=0.0)
    train(before, data, None, DISTILL, name="s", teacher=teaching)
    # An epoch of two showings a window takes as many steps as two epochs.
    settings = dataclasses.replace(DISTILL, augmentation=SAME, batch_size=96, epochs=1)
    once = dataclasses.replace(DISTILL, batch_size=48, epochs=1)
    train(during, data, None, settings, name="s", teacher=teaching)
    reference = student(dropout=0.0)
    train(reference, data, None, once, name="s", teacher=teaching)
    for ours, theirs in zip(during.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


@pytest.mark.parametrize("left_out", ["mix", "swap-channels"])  # a recipe has one of the two
def test_teacher_and_student_see_the_same_changed_window(left_out):
    """Oracle: a student that is its teacher's twin: whatever the change, both say the same."""
    data, twin = windows(48), student(dropout=0.0)
    teacher = student(dropout=0.0)
    others = ("rotate-axes", "rotate-ring", "move-picture", left_out)
    strengths = {name: 0.3 for name in AUGMENTATIONS if name not in others}
    rotate = {"modality": "emg", "largest": 0.5, "electrodes": 2}
    changes = make_augmentations(strengths | {"rotate-ring": rotate})
    band = tuple(InputChannel("emg", f"EMG {i}", 0.1, 2.0, False) for i in range(2))
    settings = dataclasses.replace(
        SETTINGS,
        epochs=1,
        learning_rate=1e-30,
        loss=make_loss("logit-mse", {}),
        augmentation=Augmenting(2, changes, {"emg": 20.0, "imu": 20.0}, {"emg": band}),
    )
    freeze_norms(twin)
    history = train(twin, data, None, settings, name="s", teacher=Teaching([teacher]))
    assert history.loss[0] < 1e-9


def test_a_mixed_window_counts_by_the_shares_of_both_its_labels():
    """Oracle: SciPy, on logits that no training changes, with the shares of the same seed."""
    logits = np.array([0.5, 2.0, -1.0])
    data = Examples(
        inputs={"x": np.ones((6, 1), np.float32)},
        truth=np.array([0, 1, 2, 2, 1, 0]),
        groups=Groups.each(["r0"] * 6),
        class_names=("a", "b", "c"),
    )
    inputs = keras.Input((1,), name="x")
    dense = keras.layers.Dense(3, use_bias=False, name="logits")
    model = keras.Model([inputs], dense(inputs))
    dense.set_weights([logits[None]])
    mix = make_augmentations({"mix": 0.5})
    settings = dataclasses.replace(
        SETTINGS, epochs=1, batch_size=12, learning_rate=1e-9, augmentation=Augmenting(1, mix, {})
    )
    history = train(model, data, None, settings, name="s")
    order = np.random.default_rng([settings.seed, 0]).permutation(12)
    truth = data.truth[order % 6]
    _, _, mixed = Augmenter(mix, {}, settings.seed)({}, truth, order >= 6)
    hard, share = -log_softmax(logits), np.asarray(mixed.share)
    expected = (1 - share) * hard[truth] + share * hard[np.roll(truth, -1)]
    assert (share > 0).sum() == 6
    np.testing.assert_allclose(history.loss, [expected.mean()], rtol=1e-5)


def test_what_an_augmentation_refuses_inside_the_step_is_told_as_itself():
    """Oracle: the error's code and place, as outside of a graph."""
    lost = Augmenting(1, make_augmentations({"shift": 0.1}), {})
    settings = dataclasses.replace(SETTINGS, augmentation=lost)
    with pytest.raises(KdEdgeError) as caught:
        train(student(), windows(6), None, settings, name="s")
    assert (caught.value.code, caught.value.where) == ("KD_RECIPE_VALUE", "augmentation.shift")


def freeze_norms(model):
    """Batch normalisation answers in training as it does outside of it."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def test_an_interrupted_augmented_run_goes_on_to_the_same_model(tmp_path):
    """Oracle: the run that was not interrupted, bit for bit: the random changes go on as well."""
    data = windows(names=("emg",))
    changes = Augmenting(1, make_augmentations({"gain": 0.3, "shift": 0.1}), {"emg": 40.0})
    settings = dataclasses.replace(DISTILL, augmentation=changes, epochs=3)
    arguments = {"name": "s", "teacher": Teaching([student(seed=5, names=("emg",))])}
    whole, resumed = student(names=("emg",)), student(names=("emg",))
    expected = train(whole, data, None, settings, **arguments)
    arguments["checkpoint"] = tmp_path / "s.ckpt"
    with pytest.raises(KeyboardInterrupt):
        train(student(names=("emg",)), data, None, settings, progress=stop_after(1), **arguments)
    assert train(resumed, data, None, settings, **arguments).loss == expected.loss
    for ours, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_say_what_a_window_counts():
    """Oracle: the run on the windows that weigh something, with the step's mean scaled alike."""
    data = windows(32)
    settings = dataclasses.replace(SETTINGS, epochs=1, batch_size=32)
    weighed, plain = student(dropout=0.0), student(dropout=0.0)
    freeze_norms(weighed)
    freeze_norms(plain)
    half = np.where(np.arange(32) < 16, 2.0, 0.0).astype("float32")
    train(weighed, data, None, settings, name="s", weights=half)
    train(plain, data.take(np.arange(16)), None, settings, name="s")
    for ours, theirs in zip(weighed.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_logits_are_predicted_by_input_name():
    """Oracle: the model called on its inputs in order; the windows' are turned."""
    data, model = windows(10), student()
    turned = data.only(("imu", "emg"))
    answers = predict_logits(model, turned)
    expected = model([data.inputs["emg"], data.inputs["imu"]])
    np.testing.assert_allclose(answers, expected, atol=1e-5)
    nothing = predict_logits(model, turned.take(np.arange(0)))
    assert (nothing.shape, nothing.dtype) == ((0, answers.shape[1]), np.float32)


def test_one_graph_answers_any_number_of_windows():
    """Oracle: the model's own calls; Keras traces it once more for a second number."""
    calls = []

    class Counting(keras.layers.Layer):
        def call(self, x):
            calls.append(x.shape)
            return x

    inputs = keras.Input((3,), name="x")
    model = keras.Model([inputs], Counting()(inputs))
    calls.clear()
    answer = Predictor(model)
    for n in (5, 7, 1):
        x = np.arange(3.0 * n).reshape(n, 3)
        groups = Groups.each([f"r{i}" for i in range(n)], subject="S1")
        data = Examples(
            inputs={"x": x}, truth=np.arange(n) % 3, groups=groups, class_names=("a", "b", "c")
        )
        np.testing.assert_array_equal(answer(data), x)
    assert calls == [(None, 3)]


def test_a_model_of_one_input_trains(tmp_path):
    """Oracle: no warning, and the saved model answers alike."""
    data, model = windows(30, names=("emg",)), student(name="seed-single-student", names=("emg",))
    train(model, data, None, dataclasses.replace(SETTINGS, epochs=1), name="s")
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", compile=False)
    np.testing.assert_allclose(predict_logits(loaded, data), predict_logits(model, data), atol=1e-6)


def test_a_diverging_run_says_where_and_what_to_do(tmp_path):
    """Oracle: the error's code, its epoch and its hint; nothing is saved of the bad epoch."""
    data = windows(48)
    data.inputs["emg"][0, 0, 0, 0] = np.nan
    with pytest.raises(KdEdgeError) as caught:
        train(student(), data, None, SETTINGS, name="s", checkpoint=tmp_path / "s.ckpt")
    assert caught.value.code == "KD_DIVERGED"
    assert "epoch 1 of 4" in caught.value.where
    assert "learning rate" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_probabilities_of_a_teacher_are_refused():
    """Oracle: the error's code."""
    data = windows(30)
    with pytest.raises(KdEdgeError) as caught:
        train(
            student(),
            data,
            None,
            DISTILL,
            name="s",
            teacher=said(softmax(teacher_logits(data), axis=1)),
        )
    assert caught.value.code == "KD_NOT_LOGITS"


@pytest.mark.parametrize(
    ("code", "change", "logits"),
    [
        ("KD_RECIPE_VALUE", {"epochs": 0}, None),
        ("KD_RECIPE_VALUE", {"batch_size": 0}, None),
        ("KD_RECIPE_VALUE", {"learning_rate": 0.0}, None),
        ("KD_RECIPE_VALUE", {"learning_rate": -1.0}, None),
        ("KD_RECIPE_VALUE", {"learning_rate": float("nan")}, None),
        ("KD_RECIPE_VALUE", {"patience": 3}, None),
        ("KD_RECIPE_VALUE", {"loss": HINTON}, None),
        ("KD_RECIPE_VALUE", {"augmentation": Augmenting(0, (), {})}, None),
        ("KD_RECIPE_VALUE", {"loss": MSE, "augmentation": SAME}, np.zeros((30, 3))),
        ("KD_RECIPE_VALUE", {}, np.zeros((30, 3), "f4")),
        ("KD_SHAPE", {"loss": MSE}, np.zeros((29, 3), "f4")),
        ("KD_DIVERGED", {"loss": MSE}, np.full((30, 3), np.inf, "f4")),
    ],
)
def test_settings_that_do_not_fit_are_refused(code, change, logits):
    """Oracle: the error's code."""
    settings = dataclasses.replace(SETTINGS, **change)
    teacher = None if logits is None else said(logits)
    with pytest.raises(KdEdgeError) as caught:
        train(student(), windows(30), None, settings, name="s", teacher=teacher)
    assert caught.value.code == code


def test_windows_that_do_not_fit_are_refused():
    """Oracle: the error's code."""
    data = windows(30)
    cases = [
        ("KD_SHAPE", data.only(("emg",)), None),
        ("KD_SHAPE", dataclasses.replace(data, truth=data.truth + 1), None),
        ("KD_SHAPE", dataclasses.replace(data, truth=data.truth + 9), None),
        ("KD_SHAPE", dataclasses.replace(data, truth=data.truth - 1), None),
        ("KD_EMPTY_PART", data, data.take(np.arange(0))),
    ]
    for code, training, validation in cases:
        with pytest.raises(KdEdgeError) as caught:
            train(student(), training, validation, SETTINGS, name="s")
        assert caught.value.code == code
