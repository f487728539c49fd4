"""docs/glossary.md: every word once, and its type there. Oracle: the code."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter

import pytest
from test_direction import ROOT, SOURCES

TEXT = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]*)\|$", TEXT, re.MULTILINE)
WORDS = {word.strip(): kind.strip().strip("`") for word, _, kind in ROWS if word.strip() != "word"}
TYPES = sorted({kind for kind in WORDS.values() if kind})
# A recipe's table bears the name of what it describes; a board's, of what it says about it.
MAY_REPEAT = ("kd_edge.recipe", "firmware_export.boards.board")


def test_every_word_stands_there_once():
    words = [word.strip() for word, _, _ in ROWS if word.strip() != "word"]
    assert len(words) > 50
    assert [word for word, n in Counter(words).items() if n > 1] == []


@pytest.mark.parametrize("kind", TYPES)
def test_the_type_of_a_word_is_there(kind):
    if kind.startswith("kd_edge.distill"):
        pytest.importorskip("keras")
    module, _, name = kind.rpartition(".")
    assert hasattr(importlib.import_module(module), name)


def test_no_other_record_bears_the_name_of_a_word_s_type():
    """Oracle: the classes of every source file."""
    named = {kind.rpartition(".")[2] for kind in TYPES}
    owners: dict[str, list[str]] = {}
    for module, path in SOURCES.items():
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.name in named:
                owners.setdefault(node.name, []).append(module)
    repeated = {
        name: modules
        for name, found in owners.items()
        if len(modules := [m for m in found if not m.startswith(MAY_REPEAT)]) > 1
    }
    assert repeated == {}
