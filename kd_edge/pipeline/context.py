"""What every stage of one build, or of one training without a bundle, reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.files import own_path
from kd_edge.pipeline.dataset import Dataset, load_dataset
from kd_edge.pipeline.inside import Inside, folds_inside
from kd_edge.pipeline.parts import FoldWindows, fold_windows
from kd_edge.pipeline.stages import Stages
from kd_edge.pipeline.store import user_store
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Recipe
from kd_edge.splits import Fold, check_duplicates, make_folds

# Of the output folder: what an interrupted build goes on from, and no part of the bundle.
WORK_FOLDER = ".work"
EXAMPLES_FILE = f"{WORK_FOLDER}/examples.npy"


@dataclass(frozen=True, eq=False)
class Context:
    """One build: what is asked, the data, and where results go.

    Attributes:
        folds: the first is the one whose models ship.
        data: the first fold's windows.
        command: as typed, for the report's provenance.
        source: where the recordings are; None where they are generated.
        same_on_any_cores: whether the arithmetic is the same however many cores are free.
        home: the build's output folder, which its workers leave their checkpoints in; of the build
            itself it is `out`.
    """

    recipe: Recipe
    dataset: Dataset
    folds: tuple[Fold, ...]
    data: FoldWindows
    stages: Stages
    out: Path
    command: str
    watch: Watch
    source: Path | None
    same_on_any_cores: bool
    home: Path


def prepare(
    recipe: Recipe,
    data: Path | None,
    out: Path,
    *,
    command: str,
    cache: bool,
    watch: Watch,
    same_on_any_cores: bool,
    held_out: str | None = None,
    inside: Inside | None = None,
    home: Path | None = None,
) -> Context:
    """Read, check and split the data.

    Args:
        cache: whether the user's store is used.
        held_out: of the only fold to be made; None makes all of them.
        inside: make one fold inside that fold's training part, or inside the first's.
        home: see `Context`; None: `out`.

    Raises:
        KdEdgeError: as `load_dataset`, `make_folds` and `check_duplicates`. KD_UNKNOWN_NAME: no
            fold holds that out.
    """
    store = user_store(cache, note=watch.note)
    dataset = load_dataset(
        recipe, data, store=store, file=own_path(out, EXAMPLES_FILE), progress=watch.step
    )
    folds = folds_of(recipe, dataset)
    if held_out is not None:
        folds = (fold_without(folds, held_out),)
    if inside is not None:
        folds = folds_inside(dataset.recordings, folds[0], recipe, inside.score)
        if inside.held_out is not None:
            folds = (fold_without(folds, inside.held_out),)
    return Context(
        recipe=recipe,
        dataset=dataset,
        folds=folds,
        data=fold_windows(dataset, folds[0], recipe),
        stages=Stages(out, store=store, report=watch.stage),
        out=out,
        command=command,
        watch=watch,
        source=data,
        same_on_any_cores=same_on_any_cores,
        home=home or out,
    )


def with_seed(context: Context, seed: int, held_out: Sequence[str] | None = None) -> Context:
    """The same with another seed, which may deal the recordings out otherwise.

    Args:
        held_out: of the folds to be made; None makes all of them.

    Raises:
        KdEdgeError: as `make_folds` and `check_duplicates`. KD_UNKNOWN_NAME: no fold holds that
            out.
    """
    recipe = context.recipe.model_copy(update={"seed": seed})
    folds = folds_of(recipe, context.dataset)
    if held_out is not None:
        folds = tuple(fold_without(folds, name) for name in held_out)
    data = fold_windows(context.dataset, folds[0], recipe)
    return replace(context, recipe=recipe, folds=folds, data=data)


def folds_of(recipe: Recipe, dataset: Dataset) -> tuple[Fold, ...]:
    """The folds of a recipe's split.

    Raises:
        KdEdgeError: as `make_folds` and `check_duplicates`.
    """
    folds = make_folds(dataset.recordings, recipe.split, seed=recipe.seed)
    if not recipe.dataset.allow_duplicates:
        check_duplicates(dataset.recordings, folds)
    return folds


def fold_without(folds: Sequence[Fold], held_out: str) -> Fold:
    """The fold that holds out a subject or session.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: there is none, with the nearest.
    """
    known = {fold.held_out: fold for fold in folds if fold.held_out is not None}
    if held_out not in known:
        raise KdEdgeError(
            "KD_UNKNOWN_NAME",
            f"no fold holds out '{held_out}'{nearest(held_out, known)}",
            where="fold",
            hint=f"folds hold out {', '.join(known)}"
            if known
            else "the recipe has one fold: leave the name out, or set held_out = 'each'",
        )
    return known[held_out]
