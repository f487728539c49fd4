"""One epoch of training: one graph on TensorFlow, batch by batch on other Keras backends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import keras
import numpy as np

from kd_edge.distill.objective import correct


class Engine(Protocol):
    """Trains a model in place."""

    def run_epoch(self, order: np.ndarray) -> tuple[float, float]:
        """One pass over the windows in that order; (mean loss, accuracy) while training."""
        ...


def make_engine(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    objective: Callable,
    inputs: Sequence[np.ndarray],
    targets: np.ndarray,
    batch_size: int,
) -> Engine:
    """The fastest engine for this backend; both compute the same."""
    kind = GraphEngine if keras.backend.backend() == "tensorflow" else BatchEngine
    return kind(model, optimizer, objective, inputs, targets, batch_size)


class GraphEngine:
    """The whole epoch is one TensorFlow graph: no Python, no data pipeline between batches."""

    def __init__(self, model, optimizer, objective, inputs, targets, batch_size):
        import tensorflow as tf

        self._tf = tf
        self._model = model
        self._optimizer = optimizer
        self._objective = objective
        self._inputs = [tf.constant(x) for x in inputs]
        self._targets = tf.constant(targets)
        self._batch_size = batch_size
        self._epoch = tf.function(
            self._trace_epoch, input_signature=[tf.TensorSpec([None], tf.int64)]
        )

    def run_epoch(self, order: np.ndarray) -> tuple[float, float]:
        loss, accuracy = self._epoch(self._tf.constant(order, self._tf.int64))
        return float(loss), float(accuracy)

    def _trace_epoch(self, order):
        tf = self._tf
        n = tf.size(order)

        def batch(start, loss, right):
            chosen = order[start : start + self._batch_size]
            new_loss, new_right = self._step(chosen)
            return start + self._batch_size, loss + new_loss, right + new_right

        _, loss, right = tf.while_loop(
            lambda start, *_: start < n, batch, (0, 0.0, 0.0), parallel_iterations=1
        )
        return loss / tf.cast(n, tf.float32), right / tf.cast(n, tf.float32)

    def _step(self, chosen):
        tf = self._tf
        inputs = [tf.gather(x, chosen) for x in self._inputs]
        targets = tf.gather(self._targets, chosen)
        variables = self._model.trainable_variables
        with tf.GradientTape() as tape:
            logits = self._model(inputs, training=True)
            losses = self._objective(targets, logits)
            total = tf.add_n([tf.reduce_mean(losses), *self._model.losses])
        gradients = tape.gradient(total, [variable.value for variable in variables])
        self._optimizer.apply(gradients, variables)
        return tf.reduce_sum(losses), tf.reduce_sum(correct(targets, logits))


class BatchEngine:
    """Keras' own step, one call a batch: runs on every backend."""

    def __init__(self, model, optimizer, objective, inputs, targets, batch_size):
        self._model = model
        self._inputs = list(inputs)
        self._targets = targets
        self._batch_size = batch_size
        model.compile(optimizer=optimizer, loss=objective, metrics=[_Accuracy()])

    def run_epoch(self, order: np.ndarray) -> tuple[float, float]:
        totals = np.zeros(2)
        for start in range(0, len(order), self._batch_size):
            chosen = order[start : start + self._batch_size]
            logs = self._model.train_on_batch(
                [x[chosen] for x in self._inputs], self._targets[chosen], return_dict=True
            )
            totals += len(chosen) * np.array([logs["loss"], logs["accuracy"]])
        loss, accuracy = totals / len(order)
        return float(loss), float(accuracy)


class _Accuracy(keras.metrics.MeanMetricWrapper):
    def __init__(self):
        super().__init__(correct, name="accuracy")
