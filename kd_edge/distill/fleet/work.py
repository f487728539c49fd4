"""A fleet from its files to trained weights; it runs in the child process."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import keras
import numpy as np

import kd_edge.models.grid
import kd_edge.models.layers  # noqa: F401  both register the layers that a network may hold
from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.augmentations import Augmenter, make_augmentations
from kd_edge.distill.batch import Taught, taught_of
from kd_edge.distill.ensemble import ENSEMBLES, choose
from kd_edge.distill.epochs import diverged, epoch_order, goes_on
from kd_edge.distill.fleet.job import HELD, INPUTS, LESSONS, TRUTH, FoldSize, Told, Way, files_of
from kd_edge.distill.fleet.layers import for_fleets
from kd_edge.distill.fleet.program import Batches, Figures, Held, Member, Program, Stacked, State
from kd_edge.distill.lesson_checks import check_logits
from kd_edge.distill.losses import make_loss, weigh_labels
from kd_edge.distill.objective import Objective
from kd_edge.distill.tapped import Tapped
from kd_edge.distill.teaching import Teaching
from kd_edge.models.keras_start import first_lines, read_keras
from kd_edge.tasks import find_task

_HELD_AT_ONCE = 256
HISTORY = ("loss", "accuracy", "validation_loss", "validation_accuracy")
Say = Callable[[Mapping[str, float]], None]


def train_all(
    way: Way,
    folds: Sequence[FoldSize],
    models: Sequence[Told],
    *,
    stack: Path,
    folder: Path,
    most_bytes: int,
    say: Say,
) -> None:
    """Train every model, and write `trained-I.npz` and `history-I.json` of each into the folder.

    Args:
        stack: folder that `write_stack` filled.
        folder: has `starts.npz`, untrained weights.
        most_bytes: of examples that are held at once; models of more folds follow each other.
        say: told of each epoch of models that are trained together.

    Raises:
        KdEdgeError: as `trainer.train`.
    """
    work = _Work(way, folds, models, stack, folder)
    for kept, accuracies, chosen in work.by_teachers():
        for group in work.groups(chosen, most_bytes):
            _Group(work, kept, {i: accuracies[i] for i in group}, say).train()


class _Work:
    """What all groups of one job have in common."""

    def __init__(self, way: Way, folds, models: Sequence[Told], stack: Path, folder: Path):
        self.way, self.folds, self.models, self.folder = way, folds, models, folder
        self.task = find_task(way.task)
        self.network = for_fleets(_network(way.network))
        self.loss = weigh_labels(
            way.loss and make_loss(way.loss, way.loss_options), way.alpha, way.label_smoothing
        )
        with np.load(folder / "starts.npz", allow_pickle=False) as arrays:
            self.starts = dict(arrays)
        self._read_teachers()
        inputs = [tensor.name for tensor in self.network.inputs]
        inputs += [t.name for teacher in self.teachers for t in teacher.inputs]
        self.arrays = {
            key: np.load(place, mmap_mode="r", allow_pickle=False)
            for key, place in files_of(stack, way.inputs).items()
            if key[1] == TRUTH or key[2] in inputs
        }
        self.inputs = tuple(dict.fromkeys(inputs))

    def _read_teachers(self) -> None:
        """One network for each teacher of a model, and every model's weights for it."""
        # Keras finds weights in a file by the names of the layers' classes, which ours have not.
        plain = [read_keras(Path(file)) for file in self.models[0].teachers]
        self.teachers = [for_fleets(network) for network in plain]
        read: dict[str, list[np.ndarray]] = {}
        for model in self.models:
            for file, network in zip(model.teachers, plain, strict=True):
                if file not in read:
                    network.load_weights(file)
                    read[file] = [np.asarray(v) for v in network.variables]
        self.values = read

    def by_teachers(self) -> Iterator[tuple[list[int], dict[int, list[float] | None], list[int]]]:
        """(teachers that join, each model's accuracies of them, the models) of each program."""
        if len(self.teachers) < 2:
            every = range(len(self.models))
            yield list(range(len(self.teachers))), dict.fromkeys(every), list(every)
            return
        accuracies, alike = {}, defaultdict(list)
        for at in range(len(self.models)):
            kept, accuracies[at] = self._chosen(at)
            alike[kept].append(at)
        for kept, chosen in alike.items():
            yield list(kept), accuracies, chosen

    def _chosen(self, at: int) -> tuple[tuple[int, ...], list[float]]:
        model = self.models[at]
        n = self.folds[model.fold].n_held
        said = []
        for file, network in zip(model.teachers, self.teachers, strict=True):
            for variable, value in zip(network.variables, self.values[file], strict=True):
                variable.assign(value)
            own = [self.arrays[HELD, INPUTS, t.name][model.fold, :n] for t in network.inputs]
            said.append(np.asarray(network.predict(own, verbose=0)))
        truth = self.arrays[HELD, TRUTH, ""][model.fold, :n]
        way = self.way
        chosen = choose(said, truth, task=self.task, method=way.ensemble, drop=way.drop)
        return chosen.kept, list(chosen.accuracies)

    def groups(self, chosen: Sequence[int], most_bytes: int) -> Iterator[list[int]]:
        """Those models, in groups whose folds are held at once; of one fold at least."""
        by_fold = defaultdict(list)
        for at in chosen:
            by_fold[self.models[at].fold].append(at)
        group, left = [], most_bytes
        for fold, members in by_fold.items():
            size = self._fold_bytes(fold) + sum(self._said_bytes(at) for at in members)
            if group and size > left:
                yield group
                group, left = [], most_bytes
            group, left = group + members, left - size
        yield group

    def _fold_bytes(self, fold: int) -> int:
        return sum(array[fold].nbytes for array in self.arrays.values())

    def _said_bytes(self, at: int) -> int:
        file = self.models[at].answers
        return Path(file).stat().st_size if file else 0

    def stacked(self, folds: Sequence[int]) -> Stacked:
        """The examples of these folds, in memory."""

        def of(part: str, kind: str, name: str = ""):
            return jnp.asarray(self.arrays[part, kind, name][list(folds)])

        channels = {
            name: tuple(
                jnp.asarray(
                    [[getattr(c, key) for c in self.folds[f].channels[name]] for f in folds]
                )
                for key in ("mean", "scale")
            )
            for name in self.folds[folds[0]].channels
        }
        held = None
        if self.way.watched and any(self.folds[fold].n_held for fold in folds):
            held = self._held(
                {name: of(HELD, INPUTS, name) for name in self.inputs}, of(HELD, TRUTH), folds
            )
        inputs = {name: of(LESSONS, INPUTS, name) for name in self.inputs}
        return Stacked(inputs, of(LESSONS, TRUTH), channels, held)

    def _held(self, inputs, truth, folds) -> Held:
        n = truth.shape[1]
        blocks = math.ceil(n / _HELD_AT_ONCE)
        size = math.ceil(n / blocks)

        def cut(array):
            more = [(0, 0), (0, blocks * size - n)] + [(0, 0)] * (array.ndim - 2)
            return jnp.pad(array, more).reshape(len(folds), blocks, size, *array.shape[2:])

        sizes = np.array([self.folds[fold].n_held for fold in folds])
        counts = (np.arange(n)[None] < sizes[:, None]).astype(np.float32)
        return Held(
            {name: cut(array) for name, array in inputs.items()},
            cut(truth),
            cut(jnp.asarray(counts)),
        )

    def save(self, at: int, weights: Sequence[np.ndarray], history: Mapping[str, list]) -> None:
        """Write what the parent reads of one model."""
        arrays = {str(place): value for place, value in enumerate(weights)}
        np.savez(self.folder / f"trained-{at}.npz", **arrays)
        (self.folder / f"history-{at}.json").write_text(json.dumps(history))


class _Group:
    """Models that are trained together, from the first epoch to the last."""

    def __init__(
        self,
        work: _Work,
        kept: Sequence[int],
        accuracies: Mapping[int, list[float] | None],
        say: Say,
    ):
        self._work, self._kept, self._say = work, list(kept), say
        self._members = list(accuracies)
        self._told = [work.models[at] for at in self._members]
        folds = list(dict.fromkeys(told.fold for told in self._told))
        self._folds = {fold: place for place, fold in enumerate(folds)}
        self._stacked = work.stacked(folds)
        self._shown = [work.folds[t.fold].n * (1 + work.way.copies) for t in self._told]
        self._build()
        members = [
            self._member(told, accuracies[at])
            for at, told in zip(self._members, self._told, strict=True)
        ]
        self._check_answers(members[0])
        self._stack = _stack(members)
        self._states = _stack([self._first_state(told) for told in self._told])
        self._histories = [{name: [] for name in (*HISTORY, "seconds")} for _ in self._told]

    def _build(self) -> None:
        work, way = self._work, self._work.way
        self._student = Tapped(work.network, work.loss.taps().student, self._told[0].name)
        networks = [work.teachers[at] for at in self._kept]
        self._teaching = Teaching(networks, None, work.loss.taps().teacher) if networks else None
        self._shapes = self._teaching.shapes if networks else {}
        if self._told[0].answers:
            first = _answers(self._told[0].answers).teachers[0].features
            self._shapes = {name: tuple(array.shape[1:]) for name, array in first.items()}
        self._objective = self._objective_of(0)
        augmenter = None
        if way.copies:
            augmenter = Augmenter(make_augmentations(way.augmentations), way.rates_hz, seed=0)
        self._augmenter = augmenter
        together = len(networks) > 1
        self._program = Program(
            self._student,
            self._objective,
            work.task,
            teaching=self._teaching,
            join=ENSEMBLES.find(way.ensemble).join if together else None,
            augmenter=augmenter,
            channels=work.folds[self._told[0].fold].channels,
            learning_rate=way.learning_rate,
            decay=way.learning_rate_decay,
            at_once=None if jax.default_backend() == "cpu" else len(self._told),
        )

    def _objective_of(self, seed: int) -> Objective:
        """The loss with layers of its own as that seed starts them."""
        keras.utils.set_random_seed(seed)
        return Objective(self._work.loss, self._work.task, self._student, self._shapes)

    def _member(self, told: Told, accuracies: list[float] | None) -> Member:
        work = self._work
        n = work.folds[told.fold].n
        most = max(work.folds[fold].n for fold in self._folds)
        steps = work.way.epochs * math.ceil(n * (1 + work.way.copies) / work.way.batch_size)
        files = [told.teachers[at] for at in self._kept]
        taught = None
        if told.answers:
            taught = jax.tree.map(lambda said: _filled(said, most), _answers(told.answers))
        return Member(
            fold=np.int32(self._folds[told.fold]),
            steps=np.float32(steps),
            shown=np.float32(n * (1 + work.way.copies)),
            teachers=[work.values[file] for file in files],
            accuracies=None if accuracies is None else np.float32(accuracies),
            taught=taught,
        )

    def _first_state(self, told: Told) -> State:
        own = self._objective_of(told.seed).variables
        extra = {
            id(ours): np.asarray(value)
            for ours, value in zip(self._objective.variables, own, strict=True)
        }
        if self._augmenter is not None:
            (state,) = self._augmenter.variables
            extra[id(state)] = np.array([told.seed, 0], state.dtype)
        n = len(self._work.network.variables)
        start = [self._work.starts[f"{told.start}/{at}"] for at in range(n)]
        return self._program.first_state(start, extra)

    def _check_answers(self, member: Member) -> None:
        """Refuse a teacher that gives probabilities, as the trainer does."""
        if self._teaching is None:
            return
        n = min(64, self._work.folds[self._told[0].fold].n)
        few = {name: array[0, :n] for name, array in self._stacked.inputs.items()}
        logits = np.asarray(self._program.ask(few, member).logits)
        check_logits(logits, (n, *self._work.network.output_shape[1:]))

    def train(self) -> None:
        """Train until the last one stops, and save each one's best weights."""
        way = self._work.way
        for epoch in range(way.epochs):
            going = np.array([self._goes_on(history, epoch) for history in self._histories])
            if not going.any():
                break
            started = time.perf_counter()
            self._states, figures = self._program.run_epoch(
                self._states, self._stack, going, self._batches(epoch), self._stacked, epoch
            )
            figures = Figures(*(np.asarray(each) for each in figures))
            self._note(figures, going, epoch, time.perf_counter() - started)
        best = [np.asarray(each) for each in self._states.best]
        for place, at in enumerate(self._members):
            self._work.save(at, [each[place] for each in best], self._histories[place])

    def _goes_on(self, history: Mapping[str, list[float]], epoch: int) -> bool:
        way, done = self._work.way, len(history["loss"])
        return done == epoch and goes_on(way.epochs, way.patience, done, history["validation_loss"])

    def _note(self, figures: Figures, going: np.ndarray, epoch: int, seconds: float) -> None:
        way = self._work.way
        for place in np.flatnonzero(going):
            loss = float(figures.loss[place])
            if not math.isfinite(loss):
                name, rate = self._told[place].name, way.learning_rate
                raise diverged(name, loss, epoch=epoch + 1, epochs=way.epochs, learning_rate=rate)
            for name in HISTORY if self._stacked.held is not None else HISTORY[:2]:
                self._histories[place][name].append(float(getattr(figures, name)[place]))
            self._histories[place]["seconds"].append(seconds / going.sum())
        means = {name: float(getattr(figures, name)[going].mean()) for name in HISTORY}
        told = {name: means[name] for name in ("loss", "accuracy", "validation_accuracy")}
        self._say({"epoch": epoch + 1, "models": int(going.sum()), "seconds": seconds} | told)

    def _batches(self, epoch: int) -> Batches:
        """Every model's examples in the order that its seed draws.

        The last batch is filled with examples of the same epoch, which count for nothing but what
        a batch has in common: its statistics, and what an example is held against.
        """
        size = self._work.way.batch_size
        steps = math.ceil(max(self._shown) / size)
        index = np.zeros((len(self._told), steps * size), np.int32)
        changed, counts = np.zeros(index.shape, bool), np.zeros(index.shape, np.float32)
        for place, (told, shown) in enumerate(zip(self._told, self._shown, strict=True)):
            n = self._work.folds[told.fold].n
            order = epoch_order(told.seed, epoch, shown)
            filled = math.ceil(shown / size) * size
            numbers = np.resize(order, filled)
            index[place, :filled], changed[place, :filled] = numbers % n, numbers >= n
            counts[place, :shown] = 1
        shape = (len(self._told), steps, size)
        return Batches(*(array.reshape(shape) for array in (index, changed, counts)))


def _network(config: str) -> keras.Model:
    """The student from its JSON."""
    try:
        return keras.models.model_from_json(config)
    except Exception as error:
        # Keras refuses with exceptions of many kinds.
        raise KdEdgeError(
            "KD_FLEET_REFUSED",
            f"a fleet cannot have this model: {first_lines(error)}",
            hint="a fleet takes functional models of Keras' and kd-edge's own layers; others are "
            "trained one by one",
        ) from error


def _answers(file: str) -> Taught:
    """What teachers said to a fold's examples, as `Taught.arrays` names it."""
    with np.load(file, allow_pickle=False) as arrays:
        return taught_of(dict(arrays))


def _filled(array: np.ndarray, n: int) -> np.ndarray:
    """(n, ...) with zeros behind."""
    return np.pad(array, [(0, n - len(array))] + [(0, 0)] * (array.ndim - 1))


def _stack(trees: Sequence):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
