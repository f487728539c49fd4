"""Tables of a recipe that stand for several models."""

from __future__ import annotations

import pytest
from test_recipe import MINIMAL, TAUGHT

from kd_edge.base.errors import KdEdgeError
from kd_edge.recipe import parse_recipe, to_toml


def learnt(text):
    """Who learns from whom; a validated recipe reads back as it is."""
    recipe = parse_recipe(text)
    assert parse_recipe(to_toml(recipe)) == recipe
    return {m.name: recipe.teachers_of(m) for m in (*recipe.teachers, *recipe.students)}


def test_a_teacher_of_three_seeds_is_three_teachers_to_all_that_name_it():
    """Oracle: the manual's rule, by hand."""
    text = TAUGHT.replace('name = "large"', 'name = "large"\nseeds = 3')
    three = ("large-1", "large-2", "large-3")
    assert learnt(text) == {
        **dict.fromkeys(three, ()),
        "assistant": three,
        "student": (*three, "assistant"),
        "second": (*three, "assistant"),
    }


def test_generations_of_a_student_stand_above_it_and_teach_one_another():
    """Oracle: the manual's rule, by hand; who ships, and who learns from all, are as before."""
    text = TAUGHT.replace('name = "second"', 'name = "second"\ngenerations = 3')
    assert learnt(text) == {
        "large": (),
        "assistant": ("large",),
        "second-1": ("large", "assistant"),
        "second-2": ("second-1",),
        "student": ("large", "assistant"),
        "second": ("second-2",),
    }
    recipe = parse_recipe(text)
    assert [student.name for student in recipe.students] == ["student", "second"]
    assert {m.epochs for m in (*recipe.teachers, *recipe.students)} == {3}


def test_without_teachers_the_first_generation_learns_from_the_labels():
    """Oracle: the paper: the first generation has no teacher."""
    told = '[distillation]\nloss = "logit-mse"\nalpha = 0.0\n'
    text = MINIMAL.replace("distill = false", "generations = 3") + told
    assert learnt(text) == {"student-1": (), "student-2": ("student-1",), "student": ("student-2",)}


def test_generations_of_a_teacher_end_in_the_teacher():
    text = TAUGHT.replace('name = "large"', 'name = "large"\ngenerations = 2')
    assert learnt(text) == {
        "large-1": (),
        "large": ("large-1",),
        "assistant": ("large",),
        "student": ("large", "assistant"),
        "second": ("large", "assistant"),
    }


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'name = "large"',
            'name = "large"\nseeds = 0',
            "teachers.0.seeds: Input should be greater",
        ),
        ('name = "large"', 'name = "large"\nseeds = 101', "teachers.0.seeds: Input should be less"),
        ('name = "large"', 'name = "large"\nseeds = "2"', "teachers.0.seeds"),
        ('name = "large"', 'name = "large"\nseeds = 2\ngenerations = 2', "either seeds or"),
        ('name = "student"', 'name = "student"\nseeds = 2', "seeds belong to [[teachers]]"),
        ('name = "student"', 'name = "student"\ngenerations = 2\ndistill = false', "labels alone"),
        ('name = "large"', 'name = "large"\nseed = 2', "did you mean 'seeds'"),
    ],
)
def test_what_a_table_cannot_have_is_told(old, new, told):
    with pytest.raises(KdEdgeError) as caught:
        parse_recipe(TAUGHT.replace(old, new, 1))
    assert told in caught.value.message
