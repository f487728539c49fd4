"""`train_fleet`: the models of every fold and seed of a recipe, trained, kept and scored."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.reproducible import one_order_of_sums
from kd_edge.models.keras_start import set_keras
from kd_edge.pipeline.context import Context, prepare, with_seed
from kd_edge.pipeline.names import check_names, check_networks
from kd_edge.pipeline.parts import fold_windows
from kd_edge.pipeline.peers import folder_name
from kd_edge.pipeline.trial import Trial, trial_of
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Recipe
from kd_edge.splits import Fold

ONE_BY_ONE = "one by one"


@dataclass(frozen=True)
class Fleet:
    """The models of every fold and seed.

    Attributes:
        trials: one for each seed and fold, seed by seed, the folds in the split's order.
        road: how they were trained: 'one by one', each on TensorFlow.
    """

    trials: tuple[Trial, ...]
    road: str


def train_fleet(
    recipe: Recipe,
    *,
    seeds: Sequence[int],
    data: Path | str | None = None,
    folds: Sequence[str] | None = None,
    out: Path | str | None = None,
    cache: bool = True,
    watch: Watch | None = None,
) -> Fleet:
    """Train the teachers and students of a recipe in every fold and with every seed.

    It goes on where it was interrupted: models that the output folder or the user's cache has are
    taken from there.

    Args:
        seeds: in place of the recipe's, each once.
        data: folder or file of recordings; None for a reader that needs none.
        folds: the subjects or sessions that the folds to train hold out; None for all folds.
        out: folder for the models, `seed-N/FOLD/MODEL.keras`; None keeps none of them.
        cache: whether the user's cache is used.
        watch: told of stages and epochs.

    Raises:
        KdEdgeError: as `train_and_score`. KD_USAGE: no seed, or one twice.
    """
    _check_seeds(seeds)
    set_keras()
    check_names(recipe)
    with _folder(out) as place, one_order_of_sums() as same_on_any_cores:
        first = prepare(
            recipe.model_copy(update={"seed": seeds[0]}),
            None if data is None else Path(data),
            place,
            command="",
            cache=cache,
            watch=watch or Watch(),
            same_on_any_cores=same_on_any_cores,
        )
        check_networks(first)
        contexts = [with_seed(first, seed, folds) for seed in seeds]
        trials = [trial for context in contexts for trial in _trials(context, kept=out is not None)]
        return Fleet(tuple(trials), ONE_BY_ONE)


def _trials(context: Context, *, kept: bool) -> Iterator[Trial]:
    for fold in context.folds:
        of_first = fold is context.folds[0]
        data = context.data if of_first else fold_windows(context.dataset, fold, context.recipe)
        yield trial_of(context, data, folder=folder_of(context.recipe.seed, fold), kept=kept)


def folder_of(seed: int, fold: Fold) -> str:
    """Where the models of a seed and fold stand, below the output folder, with '/' behind it."""
    name = f"seed-{seed}/"
    return name if fold.held_out is None else f"{name}{folder_name(fold.held_out)}/"


@contextlib.contextmanager
def _folder(out: Path | str | None) -> Iterator[Path]:
    if out is not None:
        yield Path(out)
        return
    with tempfile.TemporaryDirectory(prefix="kd-edge-fleet-") as name:
        yield Path(name)


def _check_seeds(seeds: Sequence[int]) -> None:
    if not seeds or len(set(seeds)) < len(seeds):
        raise KdEdgeError(
            "KD_USAGE", f"seeds are {list(seeds)}: name at least one, and each once", where="seeds"
        )
