"""docs/architecture.md says what is so. Oracle: the modules, their order, types and file names."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re

import pytest
from test_direction import LAST, ORDER, ROOT, SOURCES

DOCS = ROOT / "docs"
PAGE = (DOCS / "architecture.md").read_text(encoding="utf-8")
OUTSIDE = {"file", "board"}


def load_tool(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


PICTURE = load_tool("make_picture")
BORDERS = PICTURE.borders(PAGE)


def test_the_modules_stand_there_in_their_order():
    """Oracle: the order that imports are held to, over every source file."""
    listed = re.findall(r"^\| `([\w.]+)` \|", PAGE.split("## Modules")[1], re.MULTILINE)
    assert tuple(listed) == ORDER
    beside = {name for name in SOURCES if not name.startswith(ORDER)} - {LAST}
    assert beside == set()


def test_every_border_lies_between_modules_and_every_module_has_one():
    ends = {end for border in BORDERS for end in border[:2]}
    known = {layer.removeprefix("kd_edge.") for layer in ORDER}
    assert ends - OUTSIDE <= known
    assert known - ends == {"base", "__main__"}
    assert all(len(border) == 6 for border in BORDERS)


@pytest.mark.parametrize("name", sorted({t for b in BORDERS for t in re.findall(r"`(.+?)`", b[2])}))
def test_a_type_at_a_border_is_there(name):
    module, _, kind = name.rpartition(".")
    if module == "keras":
        pytest.importorskip("keras")
    assert hasattr(importlib.import_module(module), kind)


def test_a_file_at_a_border_is_one_that_the_sources_name():
    """Oracle: the texts in the sources; a model's own files bear its name."""
    texts = {
        node.value
        for path in SOURCES.values()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {name for border in BORDERS for name in re.findall(r"`(.+?)`", border[5])}
    assert len(named) > 8
    assert {name for name in named if "STUDENT" not in name} <= texts


def test_the_picture_is_drawn_from_the_table():
    kept = (DOCS / "architecture.svg").read_text(encoding="utf-8")
    assert kept == PICTURE.picture(PAGE), "run python docs/make_picture.py"
    assert kept.count('class="arrow"') == len(BORDERS)
