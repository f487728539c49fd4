"""`train_and_score`: train a recipe's models and say how they do, without conversion or proof."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.distill.reproducible import one_order_of_sums
from kd_edge.examples import Examples
from kd_edge.models.keras_start import set_keras
from kd_edge.pipeline.brought import Brought
from kd_edge.pipeline.context import Context, prepare
from kd_edge.pipeline.inside import Inside
from kd_edge.pipeline.names import check_names, check_networks
from kd_edge.pipeline.parts import FoldWindows
from kd_edge.pipeline.peers import score
from kd_edge.pipeline.training import FoldTrainer, Teacher, Trained
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Recipe
from kd_edge.tasks.figures import Figure, Tally

_FLOAT32_BYTES = 4


@dataclass(frozen=True)
class TrialModel:
    """One model and its figures on held-out examples, in floating point.

    Attributes:
        role: 'teacher' or 'student'.
        architecture: the model's name in the recipe's `model`; of a file, what kind of file it is.
        parameters: trainable and not; None of a teacher from a file.
        float32_bytes: of its weights. What a converted model takes, a build measures.
        file: its `.keras` file; None if the models were not kept. A teacher's own file if it came
            as one.
        figures: test part -> the task's figure with its interval, the most honest part first.
        tallies: test part -> how far each of its recordings is decided rightly.
    """

    name: str
    role: str
    architecture: str
    parameters: int | None
    float32_bytes: int | None
    file: Path | None
    figures: Mapping[str, Figure]
    tallies: Mapping[str, Tally]


@dataclass(frozen=True)
class Trial:
    """What one training of a recipe gave.

    Attributes:
        title: the recipe's name.
        fold: the fold's name.
        held_out: the subject or session that the fold holds out; None if the split makes one fold.
        synthetic: whether the examples are simulated.
        leaky: test parts whose figures flatter, since the split leaks.
        students, teachers: in the recipe's order.
    """

    title: str
    seed: int
    fold: str
    held_out: str | None
    synthetic: bool
    leaky: tuple[str, ...]
    students: tuple[TrialModel, ...]
    teachers: tuple[TrialModel, ...]


def train_and_score(
    recipe: Recipe,
    *,
    data: Path | str | None = None,
    seed: int | None = None,
    fold: str | None = None,
    inside: Inside | None = None,
    cache: bool = True,
    watch: Watch | None = None,
) -> Trial:
    """Train the teachers and students of a recipe, and score them on its test parts.

    Nothing is converted, measured or written, but to the user's cache: trials share the windows,
    teachers and teachers' outputs that they have in common with each other and with builds. Ctrl-C
    loses the model that is being trained; a build would lose an epoch of it.

    Args:
        data: folder or file of recordings; None for a reader that needs none.
        seed: in place of the recipe's.
        fold: the subject or session that the fold to train holds out, if the split makes several
            folds; None for the first.
        inside: score on a part of what the fold learns from, and on no test part: for choices that
            the test parts must not see.
        cache: whether the user's cache is used.
        watch: told of stages and epochs.

    Raises:
        KdEdgeError: as `build`. KD_UNKNOWN_NAME: no fold holds that out.
    """
    if seed is not None:
        recipe = recipe.model_copy(update={"seed": seed})
    set_keras()
    check_names(recipe)
    with (
        tempfile.TemporaryDirectory(prefix="kd-edge-trial-") as out,
        one_order_of_sums() as same_on_any_cores,
    ):
        context = prepare(
            recipe,
            None if data is None else Path(data),
            Path(out),
            command="",
            cache=cache,
            watch=watch or Watch(),
            same_on_any_cores=same_on_any_cores,
            held_out=fold,
            inside=inside,
        )
        check_networks(context)
        return trial_of(context, context.data)


def trial_of(context: Context, data: FoldWindows, *, folder: str = "", kept: bool = False) -> Trial:
    """Train the models of one fold, or take them from the store, and score them.

    Args:
        folder: of their files, below the output folder. kept: whether they stay there.
    """
    trainer = FoldTrainer(context, data, folder=folder)
    teachers = trainer.teachers()
    return scored(context, data, teachers, trainer.students(teachers), kept=kept)


def scored(
    context: Context,
    data: FoldWindows,
    teachers: Sequence[Teacher],
    students: Sequence[Trained],
    *,
    kept: bool,
    predict: Callable[[Teacher, Examples], np.ndarray] | None = None,
) -> Trial:
    """The figures of a fold's trained models.

    Args:
        kept: whether their files stay.
        predict: gives a model's (n, ..., classes) logits of examples; see `score`.
    """

    def each(models: Sequence[Teacher]) -> tuple[TrialModel, ...]:
        return tuple(_scored(context, data, model, kept, predict) for model in models)

    return Trial(
        title=context.recipe.name,
        seed=context.recipe.seed,
        fold=data.fold.name,
        held_out=data.fold.held_out,
        synthetic=context.dataset.examples.synthetic,
        leaky=tuple(part.name for part in data.fold.tests if part.leaky),
        students=each(students),
        teachers=each(teachers),
    )


def _scored(context: Context, data: FoldWindows, model: Teacher, kept: bool, predict) -> TrialModel:
    brought = isinstance(model, Brought)
    scored = {name: score(context, data, model, name, predict) for name in data.tests}
    return TrialModel(
        name=model.name,
        role=model.role,
        architecture=model.architecture,
        parameters=model.parameters,
        float32_bytes=None if brought else _FLOAT32_BYTES * model.parameters,
        file=context.out / model.file if kept or brought else None,
        figures={name: each.figure for name, each in scored.items()},
        tallies={name: each.tally for name, each in scored.items()},
    )
