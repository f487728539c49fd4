"""FastLSTM against keras.layers.LSTM, FusionDense against Concatenate + Dense."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from kd_edge.models.layers import FastLSTM, FusionDense  # noqa: E402


def twins(sequences: bool, **settings):
    """A FastLSTM and a Keras LSTM with the same random weights, biases too."""
    rng = np.random.default_rng(3)
    fast = FastLSTM(6, return_sequences=sequences, **settings)
    plain = keras.layers.LSTM(6, return_sequences=sequences, **settings)
    fast.build((None, 7, 4))
    plain.build((None, 7, 4))
    weights = [rng.normal(0, 0.5, w.shape).astype("float32") for w in plain.get_weights()]
    fast.set_weights(weights)
    plain.set_weights(weights)
    return fast, plain


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(5, 7, 4)).astype("float32")


@pytest.mark.parametrize("sequences", [False, True])
def test_fast_lstm_answers_as_keras_lstm(x, sequences):
    """Oracle: keras.layers.LSTM with the same weights."""
    fast, plain = twins(sequences, dropout=0.2, recurrent_dropout=0.2)
    np.testing.assert_allclose(fast(x), plain(x), atol=1e-6)


@pytest.mark.parametrize("sequences", [False, True])
def test_fast_lstm_has_the_gradients_of_keras_lstm(x, sequences):
    """Oracle: TensorFlow's gradients through keras.layers.LSTM, dropout off."""
    gradients = []
    for layer in twins(sequences):
        inputs = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = tf.reduce_sum(tf.sin(3.0 * layer(inputs, training=True)))
        variables = [v.value for v in layer.trainable_variables]
        gradients.append(tape.gradient(total, [inputs, *variables]))
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_fast_lstm_without_bias_answers_as_keras_lstm(x):
    """Oracle: keras.layers.LSTM with the same weights."""
    fast, plain = twins(False, use_bias=False)
    np.testing.assert_allclose(fast(x), plain(x), atol=1e-6)


def test_fast_lstm_leaves_states_and_direction_to_keras(x):
    """Oracle: keras.layers.LSTM with the same weights."""
    fast, plain = twins(False, return_state=True, go_backwards=True)
    for ours, theirs in zip(fast(x), plain(x), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_fast_lstm_drops_states_in_training_only(x):
    """Oracle: recurrent dropout changes a training answer and no other."""
    fast, _ = twins(False, recurrent_dropout=0.5)
    still = fast(x, training=False)
    np.testing.assert_array_equal(still, fast(x, training=False))
    assert np.abs(fast(x, training=True) - still).max() > 1e-3


def test_fast_lstm_drops_the_same_inputs_in_all_steps(x):
    """Oracle: an LSTM fed with inputs that were masked by hand gives the same answer."""
    fast, plain = twins(True, dropout=0.5)
    dropped = np.asarray(fast(x, training=True))
    kept = [np.array([float(m) for m in f"{code:04b}"]) * 2 for code in range(16)]
    for row in range(len(x)):
        candidates = [np.asarray(plain((x[row] * mask)[None].astype("float32"))) for mask in kept]
        assert min(np.abs(c[0] - dropped[row]).max() for c in candidates) < 1e-5


def test_fusion_dense_is_concatenate_and_dense():
    """Oracle: keras.layers.Dense on the concatenation, weights stacked."""
    rng = np.random.default_rng(1)
    parts = [rng.normal(size=(4, n)).astype("float32") for n in (3, 5)]
    fusion = FusionDense(6)
    ours = fusion(parts)
    dense = keras.layers.Dense(6)
    dense.build((None, 8))
    *kernels, bias = fusion.get_weights()
    dense.set_weights([np.concatenate(kernels), bias])
    np.testing.assert_allclose(ours, dense(np.concatenate(parts, axis=1)), atol=1e-6)
    assert fusion.count_params() == dense.count_params()


def test_layers_survive_a_keras_file(tmp_path, x):
    """Oracle: the answers before saving."""
    a, b = keras.Input((7, 4), name="a"), keras.Input((7, 4), name="b")
    joined = FusionDense(3, name="logits")([FastLSTM(4, recurrent_dropout=0.1)(a), FastLSTM(4)(b)])
    model = keras.Model([a, b], joined)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded([x, -x]), model([x, -x]), atol=1e-6)
    assert isinstance(loaded.layers[2], FastLSTM)
