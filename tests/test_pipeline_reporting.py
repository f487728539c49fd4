"""What a report says of a build beside its figures. Oracle: the shipped recipe, read by hand."""

from __future__ import annotations

import pytest

pytest.importorskip("keras")

from kd_edge.pipeline.reporting import first_weights
from kd_edge.recipe import load_recipe


def test_models_say_whose_weights_they_began_with(pytestconfig):
    recipe = load_recipe(pytestconfig.rootpath / "recipes" / "brain-tumor.toml")
    of = {line.split("'")[1]: line for line in first_weights(recipe)}
    assert set(of) == {"teacher", "seed-teacher", "student"}
    assert "ImageNet" in of["teacher"]
    assert "random" in of["seed-teacher"]
    assert "ImageNet" in of["student"]


def test_a_student_says_whose_layers_it_took(pytestconfig):
    recipe = load_recipe(pytestconfig.rootpath / "recipes" / "brain-tumor.toml")
    taking = recipe.students[0].model_copy(update={"layers_from": "teacher"})
    *_, last = first_weights(recipe.model_copy(update={"students": [taking]}))
    assert last.startswith("'student' then took the weights of its teacher 'teacher'")


def test_students_of_random_weights_say_nothing(pytestconfig):
    recipe = load_recipe(pytestconfig.rootpath / "recipes" / "pjm.toml")
    assert list(first_weights(recipe)) == []


def test_a_selector_says_whose_weights_it_began_with(pytestconfig):
    recipe = load_recipe(pytestconfig.rootpath / "recipes" / "cifar10-selector.toml")
    told = list(first_weights(recipe))
    assert told[-1].startswith("The selector (lite0-cnn) began with weights trained on ImageNet")
