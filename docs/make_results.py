"""Writes the tables of results into README.md and two pages of docs, from results/*.json.

`python docs/make_results.py`, after a row was measured or a recipe has changed; a test compares.
"""

from __future__ import annotations

import json
import re
import tomllib
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter

from kd_edge.pipeline.results.rows import load_rows, rests_on
from kd_edge.recipe import load_recipe
from kd_edge.report.ablation import Ablation, ablation_page
from kd_edge.report.public_table import PublicFigure, public_table
from kd_edge.report.results_decisions import coverage_table, events_table, personal_table
from kd_edge.report.results_table import TableRow, notes_table, orders_table, results_table
from kd_edge.report.results_tree import result_from_json
from kd_edge.report.ways_table import ways_table

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md", ROOT / "docs" / "public-projects.md")
HONEST_PART = "another drive"
# Table -> the recipe of several students that it is about.
SEVERAL = {"cascade": "pjm-cascade", "selecting": "cifar10-selector"}
# What `build --seeds` wrote of recipes whose models stand beside public projects'.
BUILT = ("cifar10-selector", "cifar10-labels")
TABLES = {
    "results": results_table,
    "orders": orders_table,
    "published": notes_table,
    "coverage": coverage_table,
    "events": events_table,
    "personal": personal_table,
}


def table_rows(folder: Path = ROOT / "results") -> list[TableRow]:
    """Every row of rows.toml, with its JSON where there is one."""
    rows = []
    for row in load_rows(folder / "rows.toml"):
        file, result = folder / f"{row.name}.json", None
        if file.is_file():
            result = result_from_json(file.read_text(encoding="utf-8"), source=file.name)
        recipe = load_recipe(folder.parent / "recipes" / f"{row.recipe}.toml")
        decided = result is not None and result.decisions is not None
        rows.append(TableRow.of(row, result, rests_on(recipe, decided=decided)))
    return rows


def public_tables(folder: Path = ROOT / "results") -> dict:
    """Name of a public project's table -> what makes it of the rows."""
    asked = tomllib.loads((folder / "public-projects.toml").read_text(encoding="utf-8"))
    others = {recipe: _of_ways(_together(folder, recipe)) for recipe in SEVERAL.values()}
    for name in BUILT:
        others[name] = others.get(name, {}) | _of_models(_other(folder, name))
    taught = _other(folder, "seed-segmentation")
    others["seed-segmentation"] = taught["mean_iou_percent"][HONEST_PART] if taught else {}
    return {
        table["name"]: partial(
            public_table, [PublicFigure(**each) for each in table["figures"]], others=others
        )
        for table in asked["tables"]
    }


def _of_models(seeds: dict | None) -> dict[str, list[float]]:
    """Model -> its figures on the first test part, one a seed: as int8, a teacher as it is."""
    figures = seeds["figures"] if seeds else []
    return {
        figure["model"]: figure["accuracy"]["values"]
        for figure in figures
        if figure["part"] == figures[0]["part"]
        and (figure["format"], figure["runtime"]) in (("int8", "tflm"), ("keras", "keras"))
        and (figure["role"] == "teacher") == (figure["format"] == "keras")
    }


def _of_ways(together: dict | None) -> dict[str, list[float]]:
    """Way to answer with several students -> its figures on the first test part, one a seed."""
    ways = together["ways"] if together else []
    return {way["name"]: way["figure"]["values"] for way in ways if way["part"] == ways[0]["part"]}


def _other(folder: Path, name: str) -> dict | None:
    """What a file of results/others holds; None if it was not measured."""
    file = folder / "others" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _together(folder: Path, recipe: str) -> dict | None:
    """Every way to answer with a recipe's students, over seeds; None if it was not measured."""
    found = _other(folder, recipe)
    return found and found["together"]


def ways_tables(folder: Path = ROOT / "results") -> dict:
    """Name of a table of several students -> what makes it; the rows do not matter."""
    found = {name: _together(folder, recipe) for name, recipe in SEVERAL.items()}
    return {n: lambda rows, together=each: ways_table(together) for n, each in found.items()}


def ablation_tables(folder: Path = ROOT / "results") -> dict:
    """The table of what `bench --ablate` found, as far as it was asked; the rows do not matter."""
    found = {}
    for file in sorted((folder / "others").glob("*-ablation.json")):
        told = json.loads(file.read_text(encoding="utf-8"))
        found[told["title"]] = TypeAdapter(Ablation).validate_python(told["ablation"])
    return {"ablation": lambda rows: ablation_page(found)}


def with_tables(page: str, rows: list[TableRow]) -> str:
    """A page with its tables made anew, each between two comments."""
    tables = TABLES | public_tables() | ways_tables() | ablation_tables()

    def made(found: re.Match) -> str:
        return f"{found[1]}\n{tables[found[2]](rows)}\n\n{found[3]}"

    pattern = r"(<!-- (\w+): generated by docs/make_results.py -->\n).*?(<!-- end of \2 -->)"
    return re.sub(pattern, made, page, flags=re.DOTALL)


if __name__ == "__main__":
    ROWS = table_rows()
    for path in PAGES:
        path.write_text(with_tables(path.read_text(encoding="utf-8"), ROWS), encoding="utf-8")
