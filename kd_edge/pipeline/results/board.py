"""A recipe's student on an emulated board, beside this host's TFLite Micro."""

from __future__ import annotations

from pathlib import Path

from kd_edge.pipeline.boards.asked import EvalSettings
from kd_edge.pipeline.boards.reporting import evaluate_bundle
from kd_edge.pipeline.boards.targets import Reach
from kd_edge.pipeline.build import build
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Product, Recipe
from kd_edge.report.results_tree import OnBoard
from kd_edge.runtimes.registry import ORACLE

# Spread over all test windows: each takes a second or so of an emulated core.
MOST_WINDOWS = 64


def on_board(
    recipe: Recipe,
    student: str,
    *,
    data: Path | None,
    fold: str | None,
    out: Path,
    board: str,
    cache: bool,
    watch: Watch,
) -> OnBoard:
    """Build the bundle of one fold, and ask the board about int8 windows of its test parts.

    Args:
        student: to ship. fold: whom it holds out; None for a recipe of one fold.
        out: folder of the bundle. board: name of an emulated board.

    Raises:
        KdEdgeError: as `build` and `evaluate_bundle`; also if a board stops in the midst.
    """
    if student != recipe.product_name:
        recipe = recipe.model_copy(update={"product": Product(models=(student,))})
    build(recipe, data=data, out=out, command="", fold=fold, cache=cache, watch=watch)
    done = evaluate_bundle(
        out,
        Reach(boards=(board,)),
        EvalSettings(limit=MOST_WINDOWS, cache=cache),
        out=None,
        command="",
        watch=watch,
    )
    beside = [each for each in done.section.agreement if each.runtime == ORACLE]
    if not beside:
        raise done.error or KeyboardInterrupt
    return OnBoard(board, beside[0].n_windows, beside[0].same_scores)
