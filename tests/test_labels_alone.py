"""The recipe of the same students without their teachers, which a benchmark writes."""

from __future__ import annotations

import tomllib

import pytest

pytest.importorskip("keras")  # a recipe is checked against the models that there are

import tomli_w

from kd_edge.recipe import load_recipe, parse_recipe


@pytest.mark.parametrize("name", ["cifar10-selector", "brain-tumor", "pjm-cascade"])
def test_students_on_labels_alone_are_the_recipes_without_teachers(name, pytestconfig, monkeypatch):
    """Oracle: the recipe; what is not about teachers, rule and names is the same."""
    monkeypatch.syspath_prepend(pytestconfig.rootpath / "benchmarks")
    from labels_alone import on_labels

    path = pytestconfig.rootpath / "recipes" / f"{name}.toml"
    whole = load_recipe(path)
    text = tomli_w.dumps(on_labels(tomllib.loads(path.read_text(encoding="utf-8"))))
    alone = parse_recipe(text)
    assert (alone.teachers, alone.selector) == ((), None)
    for own, twin in zip(whole.students, alone.students, strict=True):
        assert not twin.distill
        same = {"distill": own.distill, "name": own.name}
        same |= {"teachers": own.teachers, "layers_from": own.layers_from}
        assert twin.model_copy(update=same) == own
    for part in ("dataset", "images", "windows", "front_end", "split", "augmentation"):
        assert getattr(alone, part) == getattr(whole, part)
