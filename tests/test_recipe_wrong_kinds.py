"""Values of the wrong kind anywhere in a recipe: an error for its author, never a crash."""

from __future__ import annotations

import copy
import datetime
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("keras")  # a recipe is checked against the models that there are

import tomli_w

from kd_edge.base.errors import KdEdgeError
from kd_edge.recipe import parse_recipe

RECIPES = Path(__file__).parents[1] / "recipes"
WRONG = [
    *(3, -1, 1e400, 10**18, True, "a", "", datetime.date(2020, 1, 1)),
    *([1], [["a"]], [{}], [{"name": [1]}], {"a": 1}, {}),
]


def places(node: Any) -> Iterator[tuple[str | int, ...]]:
    """Every key of nested tables, the whole table's before those inside it."""
    inside = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in inside:
        yield (key,)
        if isinstance(value, dict | list):
            yield from ((key, *rest) for rest in places(value))


@pytest.mark.parametrize("name", ["watch", "cifar10-selector", "pjm-cascade"])
def test_a_value_of_any_kind_anywhere_is_taken_or_refused(name):
    """Oracle: the one kind of error that a user's mistake may end with."""
    tables = tomllib.loads((RECIPES / f"{name}.toml").read_text(encoding="utf-8"))
    refused = 0
    for *table, key in places(tables):
        for wrong in WRONG:
            changed = copy.deepcopy(tables)
            node = changed
            for step in table:
                node = node[step]
            node[key] = wrong
            try:
                parse_recipe(tomli_w.dumps(changed), quick=True)
            except KdEdgeError:
                refused += 1
    assert refused > 1000


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("conversion", 3, "conversion: it takes a table of keys (it is 3)"),
        ("search", 3, "search: it takes a table of keys (it is 3)"),
        ("quick", 3, "quick: it takes a table of keys (it is 3)"),
        ("students", 3, "students: it takes a list, in square brackets (it is 3)"),
    ],
)
def test_a_wrong_kind_is_told_in_words_of_the_recipe(key, value, told):
    """Oracle: by hand."""
    tables = tomllib.loads((RECIPES / "watch.toml").read_text(encoding="utf-8")) | {key: value}
    with pytest.raises(KdEdgeError) as refusal:
        parse_recipe(tomli_w.dumps(tables))
    assert refusal.value.message == told
