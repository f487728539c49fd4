"""Rows of results that nobody measured, for tests of figures, files and tables."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np

from kd_edge.base.formats import SHIPPED
from kd_edge.pipeline.results.figures import Right, mean_of
from kd_edge.report import results_tree as tree
from kd_edge.runtimes.registry import ORACLE

ROW = {"name": "r", "title": "R", "recipe": "demo", "part": "p", "published": {"note": "none"}}


def right(values, people, recordings=None):
    n = len(values)
    recording = np.arange(n) if recordings is None else np.array(recordings)
    return Right(np.array(values, bool), recording, np.array(people), np.full(n, "day 1"))


def model(column, percent, name="m"):
    mean = mean_of([right([1, 0], ["A", "B"])])
    figures = {tree.AS_WORN: replace(mean, percent=percent), "shuffled": replace(mean, percent=9.0)}
    return tree.ModelResult(column, name, name, SHIPPED, ORACLE, 1, 2345, figures)


def sample() -> tree.Result:
    columns = (tree.STUDENT, tree.FLOAT, tree.TEACHER, tree.SEED)
    models = [model(column, 50.0 + at) for at, column in enumerate(columns)]
    models += [model(tree.BASELINE, 40.0, "lda"), model(tree.BASELINE, 41.0, "random-forest")]
    return tree.Result(
        schema_version=tree.RESULT_SCHEMA,
        row="r",
        recipe="demo",
        recipe_sha256="abc",
        form="whole",
        part="p",
        synthetic=True,
        trained="one by one",
        seeds=(0,),
        folds=("all",),
        people=("A", "B"),
        vote=1.0,
        models=tuple(models),
        int8_loss_points=1.0,
        distillation=None,
        parity=(),
        board=None,
        host="here",
        versions={},
    )


def results_tool(root: Path):
    """docs/make_results.py as a module."""
    spec = importlib.util.spec_from_file_location("make_results", root / "docs" / "make_results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
