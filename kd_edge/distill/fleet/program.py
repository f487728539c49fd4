"""One epoch of every model of a fleet as one program of JAX.

The models' states, and what belongs to each alone, are stacked on a first axis. Examples are
stacked by fold; a model names the one that it learns from. Keras' stateless scopes turn the
networks, the losses and the augmentations, which are written with keras.ops, into functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax import lax

from kd_edge.base.front_end import InputChannel
from kd_edge.distill.augmentations import Augmenter
from kd_edge.distill.batch import Taught
from kd_edge.distill.objective import Objective
from kd_edge.distill.tapped import Tapped
from kd_edge.distill.teaching import Teaching
from kd_edge.tasks import Task

Array = Any


class State(NamedTuple):
    """A model on its way.

    Attributes:
        trained: what gradients move: the student's variables and those of the loss's own layers.
        kept: its other variables: statistics, states of random numbers.
        optimizer: Adam's.
        best: the student's weights after its best epoch.
        best_loss: of that epoch on the validation part, nats; infinite before the first.
    """

    trained: list[Array]
    kept: list[Array]
    optimizer: list[Array]
    best: list[Array]
    best_loss: Array


class Member(NamedTuple):
    """What belongs to one model alone, and does not change.

    Attributes:
        fold: its place in the stack of examples.
        steps: of its whole training, for a learning rate that falls.
        shown: examples that an epoch shows.
        teachers: variables of each teacher's network.
        accuracies: of the teachers on the validation part, 0 to 1; None if they do not count.
        taught: what teachers said once, (n, ...) each; None if they are asked in the step.
    """

    fold: Array
    steps: Array
    shown: Array
    teachers: list[list[Array]]
    accuracies: Array | None
    taught: Taught | None


class Held(NamedTuple):
    """Validation examples in blocks.

    Attributes:
        inputs: name -> (folds, blocks, at once, ...).
        truth: (folds, blocks, at once, ...) integers.
        counts: (folds, blocks, at once) 1 for an example, 0 for filling.
    """

    inputs: dict[str, Array]
    truth: Array
    counts: Array


class Stacked(NamedTuple):
    """Examples of every fold, filled up to the largest.

    Attributes:
        inputs: name -> (folds, n, ...). truth: (folds, n, ...) integers.
        channels: input -> mean and scale of each channel, (folds, channels) each.
        held: validation examples; None for none.
    """

    inputs: dict[str, Array]
    truth: Array
    channels: dict[str, tuple[Array, Array]]
    held: Held | None


class Batches(NamedTuple):
    """The batches of an epoch, (steps, batch) each.

    Attributes:
        index: of an example in its fold. changed: whether it is augmented.
        counts: 1 for an example that counts, 0 for what fills the last batch. A step of zeros is
            left out.
    """

    index: Array
    changed: Array
    counts: Array


class Figures(NamedTuple):
    """Of one model's epoch: means on the training part while training, and on the validation
    part; not a number where there is none."""

    loss: Array
    accuracy: Array
    validation_loss: Array
    validation_accuracy: Array


class Program:
    """Trains models of one architecture.

    Args:
        student: whose variables stand for every model's.
        teaching: its networks' variables stand for every model's teachers; None without.
        join: how teachers become one: (logits, accuracies) -> logits; None for a single one.
        augmenter: changes the copies; None where nothing is augmented.
        channels: of each input that came from sensors, for the augmentations.
        learning_rate, decay: of Adam, see `TrainSettings`.
        at_once: models that are vectorised together, the others follow; None: one after the other.
    """

    def __init__(
        self,
        student: Tapped,
        objective: Objective,
        task: Task,
        *,
        teaching: Teaching | None,
        join: Callable[[Array, Array], Array] | None,
        augmenter: Augmenter | None,
        channels: Mapping[str, tuple[InputChannel, ...]],
        learning_rate: float,
        decay: str,
        at_once: int | None,
    ):
        self._student, self._objective, self._task = student, objective, task
        self._teaching, self._join = teaching, join
        self._augmenter, self._channels = augmenter, dict(channels)
        self._rate, self._decay = learning_rate, decay
        self.optimizer = keras.optimizers.Adam(learning_rate)
        self.trained = [*student.model.trainable_variables, *objective.trainable_variables]
        own = {id(v) for v in self.trained}
        everything = [*student.model.variables, *objective.variables]
        self.kept = [v for v in everything if id(v) not in own]
        self.kept += augmenter.variables if augmenter else []
        self.optimizer.build(self.trained)
        places = {id(v): at for at, v in enumerate([*self.trained, *self.kept])}
        self._weights = [places[id(v)] for v in student.model.weights]
        self._rate_at = [v.name for v in self.optimizer.variables].index("learning_rate")
        self._epoch_of_all = jax.jit(
            lambda states, members, going, batches, stacked, epoch: lax.map(
                lambda each: self._epoch_if(*each, stacked, epoch),
                (states, members, going, batches),
                batch_size=at_once,
            ),
            donate_argnums=0,
        )

    def run_epoch(
        self,
        states: State,
        members: Member,
        going: np.ndarray,
        batches: Batches,
        stacked: Stacked,
        epoch: int,
    ) -> tuple[State, Figures]:
        """Train, validate and remember the best of every model that `going` (models,) names.

        Args:
            states, members, batches: stacked by model. epoch: counted from 0.
        """
        return self._epoch_of_all(
            states, members, jnp.asarray(going), batches, stacked, jnp.float32(epoch)
        )

    def _epoch_if(self, state, member, going, batches, stacked, epoch):
        nothing = Figures(*[jnp.float32(jnp.nan)] * len(Figures._fields))
        return lax.cond(
            going,
            lambda: self._epoch(state, member, batches, stacked, epoch),
            lambda: (state, nothing),
        )

    def _epoch(self, state, member, batches, stacked, epoch):
        def step(state, at_and_batch):
            at, batch = at_and_batch
            part = epoch + at * batch.counts.shape[0] / member.shown
            return lax.cond(
                batch.counts[0] > 0,
                lambda: self._step(state, member, batch, stacked, part),
                lambda: (state, (jnp.float32(0), jnp.float32(0))),
            )

        steps = jnp.arange(batches.index.shape[0], dtype=jnp.float32)
        state, (loss, right) = lax.scan(step, state, (steps, batches))
        held_loss, held_right = self._validate(state, member, stacked)
        state = self._remember(state, held_loss)
        figures = Figures(
            loss.sum() / member.shown, right.sum() / member.shown, held_loss, held_right
        )
        return state, figures

    def _step(self, state, member, batch, stacked, epoch):
        derive = jax.value_and_grad(self._loss, has_aux=True)
        (_, (kept, loss, right)), gradients = derive(
            state.trained, state.kept, member, batch, stacked, epoch
        )
        optimizer = list(state.optimizer)
        if self._decay == "cosine":
            # Keras' CosineDecay; each model has its own number of steps.
            done = jnp.minimum(optimizer[0].astype(jnp.float32), member.steps) / member.steps
            optimizer[self._rate_at] = jnp.float32(self._rate) * (1 + jnp.cos(jnp.pi * done)) / 2
        trained, optimizer = self.optimizer.stateless_apply(optimizer, gradients, state.trained)
        return state._replace(trained=trained, kept=kept, optimizer=optimizer), (loss, right)

    def _loss(self, trained, kept, member, batch, stacked, epoch):
        truth = stacked.truth[member.fold, batch.index]
        inputs = {name: array[member.fold, batch.index] for name, array in stacked.inputs.items()}
        mixed, taught = None, None
        with self._as(trained, kept, member) as scope:
            if self._augmenter is not None:
                channels = self._channels_of(member.fold, stacked)
                inputs, truth, mixed = self._augmenter(inputs, truth, batch.changed, channels)
            if member.taught is not None:
                taught = jax.tree.map(lambda said: said[batch.index], member.taught)
            elif self._teaching is not None:
                taught = self._taught(inputs, member)
            answers = self._student(inputs, training=True)
            losses = self._objective.values(inputs, truth, answers, taught, epoch, mixed)
            losses = losses * batch.counts
            total = losses.sum() / batch.counts.sum() + sum(self._student.model.losses)
            right = (self._objective.right(truth, answers) * batch.counts).sum()
            kept = [scope.get_current_value(v) for v in self.kept]
        return total, (kept, losses.sum(), right)

    def ask(self, inputs: Mapping[str, Array], member: Member) -> Taught:
        """What the member's teachers say to (batch, ...) inputs by name."""

        def answers(inputs, teachers, accuracies):
            own = member._replace(teachers=teachers, accuracies=accuracies)
            with keras.StatelessScope(state_mapping=self._taught_by(own)):
                return self._taught(inputs, own)

        return jax.jit(answers)(dict(inputs), member.teachers, member.accuracies)

    def _taught(self, inputs, member: Member) -> Taught:
        join = self._join
        return self._teaching(inputs, join and (lambda logits: join(logits, member.accuracies)))

    def _as(self, trained, kept, member: Member) -> keras.StatelessScope:
        """A scope in which the networks are this model's."""
        pairs = [*zip(self.trained, trained, strict=True), *zip(self.kept, kept, strict=True)]
        pairs += self._taught_by(member)
        return keras.StatelessScope(state_mapping=pairs, collect_losses=True)

    def _taught_by(self, member: Member) -> list[tuple[keras.Variable, Array]]:
        networks = self._teaching.networks if self._teaching else ()
        return [
            pair
            for network, values in zip(networks, member.teachers, strict=True)
            for pair in zip(network.variables, values, strict=True)
        ]

    def _channels_of(self, fold, stacked) -> dict[str, tuple[InputChannel, ...]]:
        """The front end's channels with the numbers of the fold."""
        told = {}
        for name, channels in self._channels.items():
            mean, scale = (each[fold] for each in stacked.channels[name])
            told[name] = tuple(
                replace(channel, mean=mean[at], scale=scale[at])
                for at, channel in enumerate(channels)
            )
        return told

    def _validate(self, state, member, stacked):
        """(mean loss, share right) on the validation part."""
        if stacked.held is None:
            return jnp.float32(jnp.nan), jnp.float32(jnp.nan)
        held = jax.tree.map(lambda array: array[member.fold], stacked.held)

        def block(part: Held):
            with self._as(state.trained, state.kept, member):
                logits = self._student(part.inputs, training=False).logits
                loss = self._task.hard_loss(logits, part.truth) * part.counts
                right = self._task.right(logits, part.truth) * part.counts
            return loss.sum(), right.sum()

        loss, right = lax.map(block, held)
        n = held.counts.sum()
        return loss.sum() / n, right.sum() / n

    def _remember(self, state: State, held_loss) -> State:
        better = jnp.isnan(held_loss) | (held_loss < state.best_loss)
        now = [*state.trained, *state.kept]
        best = [
            jnp.where(better, now[place], old)
            for place, old in zip(self._weights, state.best, strict=True)
        ]
        return state._replace(best=best, best_loss=jnp.where(better, held_loss, state.best_loss))

    def first_state(self, variables: Sequence[np.ndarray], extra: Mapping[int, Array]) -> State:
        """A model before its first step.

        Args:
            variables: of any shape: the untrained student's, in Keras' order.
            extra: id of a variable beside the student's -> its value: of the loss's own layers, of
                the augmenter.
        """
        values = dict(extra)
        for variable, value in zip(self._student.model.variables, variables, strict=True):
            values[id(variable)] = np.asarray(value).astype(variable.dtype)
        trained = [jnp.asarray(values[id(v)]) for v in self.trained]
        kept = [jnp.asarray(values[id(v)]) for v in self.kept]
        now = [*trained, *kept]
        return State(
            trained,
            kept,
            [jnp.asarray(v.value) for v in self.optimizer.variables],
            [now[place] for place in self._weights],
            jnp.float32(jnp.inf),
        )
