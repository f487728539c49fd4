"""One epoch of training as one TensorFlow graph: no Python between batches.

Examples in memory are constants of the graph. Inputs on disk come by tf.data, which TensorFlow
brings: it reads a batch while another is learned from, in the order asked for.
"""

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
from kd_edge.examples.stored import OnDisk

_READ_AHEAD = 2  # batches


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a student is trained on.

    Attributes:
        inputs: name -> (n, ...), the student's and the teachers'; an `OnDisk` is read batch by
            batch.
        truth: (n, ...) integers.
        weights: (n,) of each example's loss; None: all alike.
        taught: the teachers' outputs on these inputs; None where there are none, or where
            `teaching` gives them in each step.
        teaching: the teachers, which see what the student sees.
        augmenter: changes the copies; None where nothing is augmented.
        copies: how often an epoch shows each example changed, beside once as it is.
    """

    inputs: Mapping[str, np.ndarray | OnDisk]
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


class Steps:
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
        self._on_disk = {n: a for n, a in lesson.inputs.items() if isinstance(a, OnDisk)}
        arrays = {
            "inputs": {n: a for n, a in lesson.inputs.items() if n not in self._on_disk},
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
        signature = [tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.float32)]
        if self._on_disk:
            specs = {n: tf.TensorSpec((None, *a.shape[1:])) for n, a in self._on_disk.items()}
            signature.append(tf.data.IteratorSpec(specs))
        self._epoch = tf.function(
            self._trace_epoch,
            input_signature=signature,
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
        arguments = [tf.constant(order, tf.int64), tf.constant(epoch, tf.float32)]
        if self._on_disk:
            arguments.append(iter(self._reading(order)))
        loss, right = self._epoch(*arguments)
        return float(loss), float(right)

    def _reading(self, order: np.ndarray):
        """The inputs on disk, batch by batch in that order: name -> (batch, ...) float32."""
        tf, on_disk, n = self._tf, self._on_disk, len(self._lesson.truth)

        def read(index):
            return [array[index].astype(np.float32) for array in on_disk.values()]

        def batch(numbers):
            found = tf.numpy_function(read, [numbers % n], [tf.float32] * len(on_disk))
            return {
                name: tf.ensure_shape(rows, (None, *on_disk[name].shape[1:]))
                for name, rows in zip(on_disk, found, strict=True)
            }

        batches = tf.data.Dataset.from_tensor_slices(order).batch(self._batch_size).map(batch)
        return batches.prefetch(_READ_AHEAD)

    def _trace_epoch(self, order, epoch, batches=None):
        tf = self._tf
        n = tf.size(order)
        shown = tf.cast(n, tf.float32)

        def batch(start, loss, right):
            chosen = order[start : start + self._batch_size]
            if self._lesson.shown % self._batch_size == 0:
                # Where shapes are known, gradients need not find out how arrays were broadcast:
                # on a network with LSTMs that is half of all operations.
                chosen = tf.ensure_shape(chosen, [self._batch_size])
            new_loss, new_right = self._step(
                chosen, epoch + tf.cast(start, tf.float32) / shown, batches
            )
            return start + self._batch_size, loss + new_loss, right + new_right

        _, loss, right = tf.while_loop(
            lambda start, *_: start < n, batch, (0, 0.0, 0.0), parallel_iterations=1
        )
        return loss / shown, right / shown

    def _step(self, numbers, epoch, batches):
        tf = self._tf
        batch = self._chosen(numbers, batches)
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

    def _chosen(self, numbers, batches):
        """A batch's inputs, augmented, and what belongs to them."""
        tf, n = self._tf, len(self._lesson.truth)
        index = numbers % n
        batch = keras.tree.map_structure(lambda array: tf.gather(array, index), self._arrays)
        if batches is not None:
            # As many as are chosen, which may be known beforehand, as for inputs in memory.
            read = batch["inputs"] | {
                name: tf.ensure_shape(rows, numbers.shape.concatenate(rows.shape[1:]))
                for name, rows in batches.get_next().items()
            }
            batch["inputs"] = {name: read[name] for name in self._lesson.inputs}
        if self._lesson.augmenter is not None:
            batch["inputs"], batch["truth"], batch["mixed"] = self._lesson.augmenter(
                batch["inputs"], batch["truth"], numbers >= n
            )
        return batch
