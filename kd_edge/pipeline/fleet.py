"""`train_fleet`: the models of every fold and seed of a recipe, trained, kept and scored."""

from __future__ import annotations

import contextlib
import importlib.util
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.reproducible import one_order_of_sums
from kd_edge.models.keras_start import set_keras
from kd_edge.pipeline.context import Context, prepare, with_seed
from kd_edge.pipeline.names import check_names, check_networks
from kd_edge.pipeline.parts import fold_windows
from kd_edge.pipeline.peers import folder_name
from kd_edge.pipeline.together import Place, Predictors, TogetherTrainer
from kd_edge.pipeline.trial import Trial, scored, trial_of
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Recipe
from kd_edge.splits import Fold

T = TypeVar("T")

TOGETHER, ONE_BY_ONE = "together on JAX", "one by one on TensorFlow"
# Of windows that a fleet's program holds at once, MB.
MEMORY_MB = 1500


@dataclass(frozen=True)
class Fleet:
    """The models of every fold and seed.

    Attributes:
        trials: one for each seed and fold, seed by seed, the folds in the split's order.
        road: how they were trained: 'together on JAX', or 'one by one on TensorFlow'.
        why: the reason for the road, if it was not chosen.
    """

    trials: tuple[Trial, ...]
    road: str
    why: str = ""


def train_fleet(
    recipe: Recipe,
    *,
    seeds: Sequence[int],
    data: Path | str | None = None,
    folds: Sequence[str] | None = None,
    out: Path | str | None = None,
    one_by_one: bool | None = None,
    memory_mb: int = MEMORY_MB,
    cache: bool = True,
    watch: Watch | None = None,
) -> Fleet:
    """Train the teachers and students of a recipe in every fold and with every seed.

    All models of one name are trained together, in one program that JAX compiles, in a process of
    its own. Their figures are those of models trained one by one, within the spread of seeds.

    It goes on where it was interrupted: models that the output folder or the user's cache has are
    taken from there.

    Args:
        seeds: in place of the recipe's, each once.
        data: folder or file of recordings; None for a reader that needs none.
        folds: the subjects or sessions that the folds to train hold out; None for all folds.
        out: folder for the models, `seed-N/FOLD/MODEL.keras`; None keeps none of them.
        one_by_one: True trains each model by itself on TensorFlow, False together on JAX. None
            takes JAX if it is installed; the result says which.
        memory_mb: of windows that a program holds at once, in 10^6 bytes; models of more folds
            follow each other.
        cache: whether the user's cache is used.
        watch: told of stages and epochs.

    Raises:
        KdEdgeError: as `train_and_score`. KD_USAGE: no seed, or one twice. KD_MISSING_PACKAGE: no
            JAX. KD_FLEET_REFUSED: the recipe names something that cannot be trained together.
            KD_FLEET_CRASH: the process died.
    """
    _check_seeds(seeds)
    alone, why = _road(one_by_one)
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
        kept = out is not None
        if alone:
            trials = [trial for context in contexts for trial in _trials(context, kept=kept)]
            return Fleet(tuple(trials), ONE_BY_ONE, why)
        return Fleet(_together(contexts, kept=kept, most_bytes=memory_mb * 1_000_000), TOGETHER)


def by_either_road(
    train: Callable[[bool | None], T], watch: Watch, *, one_by_one: bool | None = None
) -> T:
    """What `train` gives for `one_by_one`, or for True where a fleet refuses the recipe."""
    try:
        return train(one_by_one)
    except KdEdgeError as error:
        if error.code != "KD_FLEET_REFUSED":
            raise
        watch.note(f"trains one by one: {error.message}")
        return train(True)


def _road(one_by_one: bool | None) -> tuple[bool, str]:
    """Whether models are trained one by one, and why if nobody chose."""
    if one_by_one:
        return True, ""
    if importlib.util.find_spec("jax") is not None:
        return False, ""
    missing = KdEdgeError(
        "KD_MISSING_PACKAGE",
        "training models together needs the package 'jax', which is not installed",
        hint="pip install 'kd-edge[fleets]', or train them one by one: one_by_one=True",
    )
    if one_by_one is None:
        return True, missing.message
    raise missing


def _together(contexts: Sequence[Context], *, kept: bool, most_bytes: int) -> tuple[Trial, ...]:
    places = [
        Place.of(context, fold, folder_of(context.recipe.seed, fold))
        for context in contexts
        for fold in context.folds
    ]
    TogetherTrainer(places, most_bytes=most_bytes).train()
    predict = Predictors(contexts[0])
    return tuple(
        scored(
            place.context,
            place.data,
            place.models("teacher"),
            place.models("student"),
            kept=kept,
            predict=predict,
        )
        for place in places
    )


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
