"""Results of images: a class a pixel over seeds, and the page of public projects."""

from __future__ import annotations

import numpy as np
import pytest
from results_samples import ROW, results_tool, sample

from kd_edge.pipeline.results.columns import and_on_labels, twin_of
from kd_edge.pipeline.results.figures import Right, gain_of, mean_of
from kd_edge.pipeline.results.rows import RowSettings, load_rows
from kd_edge.recipe import load_recipe
from kd_edge.report import results_tree as tree
from kd_edge.report.public_table import PublicFigure, public_table
from kd_edge.report.results_table import TableRow
from kd_edge.tasks import SEGMENTATION


def pixels(*images):
    """One drive's images, of each the pixels of two classes: rows true, columns answered."""
    n = len(images)
    names = np.full(n, "drive")
    return Right(np.array(images), np.arange(n), names, names, value=SEGMENTATION.counted.value)


GOOD, POOR = [[4, 0], [0, 4]], [[2, 2], [2, 2]]


def test_a_class_a_pixel_is_judged_by_the_mean_overlap_of_all_images_together():
    """Oracle: by hand. 6 of 10 pixels of either class in the sum; not the mean of 1 and 1/3."""
    found = mean_of([pixels(GOOD, POOR), pixels(GOOD, GOOD)])
    assert found.seeds == (pytest.approx(60), 100.0)
    assert found.people == {"drive": pytest.approx(80)}
    assert (found.interval.low, found.interval.high) == (pytest.approx(200 / 3), 100.0)
    assert found.interval.method == "bootstrap over recordings"


def test_a_gain_of_overlap_draws_the_same_images_for_both_sides():
    """Oracle: by hand. Each image gains alike, so every draw has the same difference."""
    found = gain_of([pixels(GOOD, GOOD)], [pixels(POOR, POOR)])
    assert found.points == pytest.approx(200 / 3)
    assert found.interval.low == found.interval.high == pytest.approx(200 / 3)


def test_the_pixels_of_a_class_are_counted_image_by_image_without_those_of_no_class():
    truth = np.array([[[0, 1], [1, -1]]])
    logits = np.eye(2)[[[[0, 0], [1, 1]]]]
    assert SEGMENTATION.counted.of(logits, truth).tolist() == [[[1, 0], [1, 1]]]


def test_a_recipe_s_own_student_without_a_teacher_is_the_one_beside_it(pytestconfig):
    """Oracle: recipes/camvid.toml names it; a student with other epochs is none."""
    recipe = load_recipe(pytestconfig.rootpath / "recipes" / "camvid.toml")
    assert twin_of(recipe, "small") == "small-labels"
    assert twin_of(recipe, "half") is None
    row = RowSettings.model_validate(ROW | {"recipe": "camvid", "student": "small"})
    assert and_on_labels(recipe, [row]) == recipe
    longer = [s.model_copy(update={"epochs": 1}) if not s.distill else s for s in recipe.students]
    assert twin_of(recipe.model_copy(update={"students": tuple(longer)}), "small") is None


def test_a_public_project_s_figure_stands_beside_ours_or_says_that_there_is_none():
    """Oracle: the sample's seed model has 53 %; 10 and 30 % of two seeds are 20 ± 14.1 %."""
    rows = [TableRow("R", "", None, "", sample(), "abc")]
    place = {"row": "r", "column": tree.SEED, "of": "m"}
    table = public_table(
        [
            PublicFigure("theirs", "9 parameters", "89.99 %", **place),
            PublicFigure("another's", theirs="1 %", **place | {"of": "n"}),
            PublicFigure("no row", row="none", column=tree.SEED, of="m"),
            PublicFigure("taught", file="ways", way="theirs"),
            PublicFigure("no way", file="ways", way="others"),
        ],
        rows,
        {"ways": {"theirs": [10.0, 30.0]}},
    ).splitlines()
    assert table[2].startswith("| theirs | 9 parameters | 89.99 % | 53.0 % [0.0 to 100.0] | 1, 2 |")
    assert table[3] == "| another's | - | 1 % | not measured | - |"
    assert table[4] == "| no row | - | - | not measured | - |"
    assert table[5] == "| taught | - | - | 20.0 % ± 14.1 | 2 |"
    assert table[6] == "| no way | - | - | not measured | - |"


def test_every_public_figure_names_a_row_and_a_model_of_its_recipe(pytestconfig):
    """Oracle: rows.toml and the recipes; a wrong name would read as not measured for ever."""
    root = pytestconfig.rootpath
    rows = {row.name: row for row in load_rows(root / "results" / "rows.toml")}
    tables = results_tool(root).public_tables()
    figures = [figure for table in tables.values() for figure in table.args[0]]
    assert len(figures) == 30
    others = next(iter(tables.values())).keywords["others"]
    for figure in figures:
        if figure.file:
            assert others[figure.file][figure.way]
        if not figure.row:
            continue
        recipe = load_recipe(root / "recipes" / f"{rows[figure.row].recipe}.toml")
        if "teacher" in figure.column and "student" not in figure.column:
            row = rows[figure.row]
            (student,) = [s for s in recipe.students if s.name == (row.student or "student")]
            own = student.teachers or [teacher.name for teacher in recipe.teachers]
            assert figure.of in [teacher.name for teacher in recipe.teachers]
            assert (figure.of in own) == (figure.column == "teacher")
        else:
            assert figure.of in [model.name for model in recipe.students]
