"""The library's pages: docs/api.md is the code's, and every example runs. Oracle: the code."""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.util
import inspect

import pytest
from test_direction import SOURCES

import kd_edge

pytest.importorskip("tensorflow")


def test_the_page_of_names_is_made_of_the_docstrings(pytestconfig):
    """Oracle: docs/make_api.py, which writes it."""
    place = pytestconfig.rootpath / "docs"
    spec = importlib.util.spec_from_file_location("make_api", place / "make_api.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    kept = (place / "api.md").read_text(encoding="utf-8")
    assert kept == maker.page(), "run python docs/make_api.py"


def test_every_public_name_has_a_docstring_of_its_own():
    for name in kd_edge._PUBLIC:
        assert getattr(kd_edge, name).__doc__, name


def test_the_examples_of_docstrings_give_what_they_show():
    """Oracle: the docstrings of every module that gives the library a name."""
    tried = 0
    for name in sorted({getattr(kd_edge, name).__module__ for name in kd_edge._PUBLIC}):
        result = doctest.testmod(importlib.import_module(name))
        assert result.failed == 0, name
        tried += result.attempted
    assert tried >= 5


def test_a_build_calls_the_functions_that_the_library_gives():
    """Oracle: the imports of pipeline and CLI, and of the modules that these call in turn."""
    given = {name: getattr(kd_edge, name) for name in kd_edge._PUBLIC}
    left = {
        name
        for name, found in given.items()
        if inspect.isfunction(found) and not found.__module__.startswith("kd_edge.pipeline")
    }
    callers = ("kd_edge.pipeline", "kd_edge.cli", "kd_edge.examples", "kd_edge.distill")
    called = {
        alias.name
        for module, path in SOURCES.items()
        if module.startswith(callers)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert len(left) > 15
    assert left - called == set()
