"""A selector's training: an example in, the student that answers it best out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import FrontEndConstants, InputChannel
from kd_edge.distill.selector import Picks, best_students
from kd_edge.examples import Examples
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.selection.crossing import cross_fit
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.training import FoldTrainer, Trained, network_of, predictor
from kd_edge.tasks import find_task
from kd_edge.tasks.classification import CLASSIFICATION

# Examples that tell students apart: with fewer a selector would learn noise.
_FEWEST = 8


@dataclass(frozen=True, eq=False)
class _Lessons:
    """Examples whose truth is whom to pick, as `FoldTrainer` reads a fold's."""

    key: str
    training: Examples
    watched: Examples
    front_end: FrontEndConstants | None
    input_rates_hz: Mapping[str, float]
    input_channels: Mapping[str, tuple[InputChannel, ...]]

    @property
    def lessons(self) -> Examples:
        return self.training


def train_selector(context: Context, students: Mapping[str, Trained]) -> Trained | None:
    """The recipe's selector, trained on which student answers the training part best.

    The students that say so had not seen the example: they are trained for this alone, on the other
    shares of the training part. Its best epoch is chosen on the validation part, which no student
    learned from.

    Args:
        students: name -> those that ship.

    Returns:
        None of a recipe without a selector.

    Raises:
        KdEdgeError KD_EMPTY_PART: the students hardly differ, or as `cross_fit`.
    """
    recipe = context.recipe
    if recipe.selector is None:
        return None
    names = recipe.product.models
    crossed = cross_fit(context, names, recipe.selector.folds)
    data = context.data
    training = data.training
    validation = data.validation
    own = {
        name: predictor(network_of(students[name], context.out))(
            validation.only(students[name].inputs)
        )
        for name in names
    }
    said = [crossed.logits[name] for name in names]
    picks = picks_of(recipe.task, said, training.truth)
    _check_telling(picks)
    own_picks = picks_of(recipe.task, list(own.values()), validation.truth)
    lessons = _Lessons(
        key=key_of(data.key, names, picks.digest, own_picks.digest),
        training=_relabelled(training, picks, names),
        watched=_relabelled(validation, own_picks, names),
        front_end=data.front_end,
        input_rates_hz=data.input_rates_hz,
        input_channels=data.input_channels,
    )
    picking = recipe.model_copy(update={"task": CLASSIFICATION.name})
    trainer = FoldTrainer(replace(context, recipe=picking), lessons)
    return trainer.one(recipe.selector, "selector", {})


def _relabelled(examples: Examples, picks: Picks, names: Sequence[str]) -> Examples:
    """Examples whose truth is the student to pick: those that tell, or all where too few do."""
    telling = np.flatnonzero(picks.telling)
    chosen = telling if len(telling) >= _FEWEST else np.arange(len(examples))
    return replace(examples.take(chosen), truth=picks.best[chosen], class_names=tuple(names))


def _check_telling(picks: Picks) -> None:
    if np.sum(picks.telling) < _FEWEST:
        raise KdEdgeError(
            "KD_EMPTY_PART",
            f"the students give the label different probabilities on fewer than {_FEWEST} of "
            f"{len(picks.telling)} training examples: a selector has nothing to learn",
            where="[selector]",
            hint="join students that differ more, or give them more examples",
        )


def picks_of(task: str, logits: list[np.ndarray], truth: np.ndarray) -> Picks:
    """Whom a selector should pick.

    Args:
        task: a key of `TASKS`. logits: (n, ..., classes) of each student. truth: (n, ...) integers.
    """
    from keras import ops

    loss = find_task(task).hard_loss
    return best_students(np.stack([ops.convert_to_numpy(loss(each, truth)) for each in logits]))
