"""One epoch of training as one TensorFlow graph: no Python, no data pipeline between batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np

from kd_edge.distill.augmentations import Augmenter
from kd_edge.distill.batch import Taught
from kd_edge.distill.objective import Objective
from kd_edge.distill.tapped import Tapped
from kd_edge.distill.teaching import Teaching


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a student is trained on.

    Attributes:
        inputs: name -> (n, ...), the student's and the teachers'.
        truth: (n, ...) integers.
        weights: (n,) of each example's loss; None: all alike.
        taught: the teachers' outputs on these inputs; None where there are none, or where
            `teaching` gives them in each step.
        teaching: the teachers, which see what the student sees.
        augmenter: changes the copies; None where nothing is augmented.
        copies: how often an epoch shows each example changed, beside once as it is.
    """

    inputs: Mapping[str, np.ndarray]
    truth: np.ndarray
    weights: np.ndarray | None = None
    taught: Taught | None = None
    teaching: Teaching | None = None
    augmenter: Augmenter | None = None
    copies: int = 0

    @property
    def shown(self) -> int:
        """Examples that an epoch shows."""
        return len(self.truth) * (1 + self.copies)


class Engine:
    """Trains a student in place."""

    def __init__(
        self,
        student: Tapped,
        objective: Objective,
        optimizer: keras.optimizers.Optimizer,
        lesson: Lesson,
        batch_size: int,
    ):
        import tensorflow as tf

        self._tf = tf
        self._student = student
        self._objective = objective
        self._optimizer = optimizer
        self._lesson = lesson
        arrays = {
            "inputs": dict(lesson.inputs),
            "truth": lesson.truth,
            "taught": lesson.taught,
            "weights": lesson.weights,
        }
        self._arrays = {
            name: keras.tree.map_structure(tf.constant, value)
            for name, value in arrays.items()
            if value is not None
        }
        self._batch_size = batch_size
        self._epoch = tf.function(
            self._trace_epoch,
            input_signature=[tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.float32)],
            autograph=False,  # it would hide the errors of losses and augmentations in its own
        )

    @property
    def trainable_variables(self) -> list:
        """The student's, and those of the loss's own layers."""
        return [*self._student.model.trainable_variables, *self._objective.trainable_variables]

    def run_epoch(self, order: np.ndarray, epoch: int) -> tuple[float, float]:
        """One pass in that order; (mean loss, share decided rightly) while training.

        Args:
            order: (shown,) indices, a permutation of `Lesson.shown` numbers: number i is example
                i % n, changed where i >= n.
            epoch: counted from 0, for losses that change with it.
        """
        tf = self._tf
        loss, right = self._epoch(tf.constant(order, tf.int64), tf.constant(epoch, tf.float32))
        return float(loss), float(right)

    def _trace_epoch(self, order, epoch):
        tf = self._tf
        n = tf.size(order)
        shown = tf.cast(n, tf.float32)

        def batch(start, loss, right):
            chosen = order[start : start + self._batch_size]
            new_loss, new_right = self._step(chosen, epoch + tf.cast(start, tf.float32) / shown)
            return start + self._batch_size, loss + new_loss, right + new_right

        _, loss, right = tf.while_loop(
            lambda start, *_: start < n, batch, (0, 0.0, 0.0), parallel_iterations=1
        )
        return loss / shown, right / shown

    def _step(self, numbers, epoch):
        tf = self._tf
        batch = self._chosen(numbers)
        inputs, truth, taught = batch["inputs"], batch["truth"], batch.get("taught")
        mixed = batch.get("mixed")
        if self._lesson.teaching is not None:
            taught = self._lesson.teaching(inputs)
        variables = self.trainable_variables
        with tf.GradientTape() as tape:
            student = self._student(inputs, training=True)
            losses = self._objective.values(inputs, truth, student, taught, epoch, mixed)
            if "weights" in batch:
                losses = losses * batch["weights"]
            total = tf.add_n([tf.reduce_mean(losses), *self._student.model.losses])
        gradients = tape.gradient(total, [variable.value for variable in variables])
        self._optimizer.apply(gradients, variables)
        return tf.reduce_sum(losses), tf.reduce_sum(self._objective.right(truth, student))

    def _chosen(self, numbers):
        """A batch's inputs, augmented, and what belongs to them."""
        tf, n = self._tf, len(self._lesson.truth)
        index = numbers % n
        batch = keras.tree.map_structure(lambda array: tf.gather(array, index), self._arrays)
        if self._lesson.augmenter is not None:
            batch["inputs"], batch["mixed"] = self._lesson.augmenter(
                batch["inputs"], batch["truth"], numbers >= n
            )
        return batch
