"""The library's pages: docs/api.md is the code's, and every example runs. Oracle: the code."""

from __future__ import annotations

import doctest
import importlib
import importlib.util

import pytest

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
