"""Recipes whose students are fine-tuned behind int8's rounding. Oracle: the manual's words."""

from __future__ import annotations

import pytest
from test_recipe import TAUGHT

from kd_edge.base.errors import KdEdgeError
from kd_edge.recipe import parse_recipe, to_toml, with_values

OF = '{ of = "student" }'
AWARE = TAUGHT.replace('name = "second"\nmodel = "tcn"', f'name = "second"\naware = {OF}').replace(
    '"student"\nmodel = "tcn"', '"student"\nmodel = "tcn"\noptions = { width = 8 }'
)


def test_model_inputs_and_options_are_those_of_the_student_that_it_starts_from():
    first, second = parse_recipe(AWARE).students
    assert (second.model, second.options) == (first.model, {"width": 8})
    assert second.aware.model_dump() == {"of": "student", "weight_bits": 8, "ranges": "kept"}


def test_it_learns_from_that_student_unless_it_names_teachers():
    def teachers(more):
        recipe = parse_recipe(AWARE.replace(OF, f"{OF}\n{more}"))
        return recipe.teachers_of(recipe.students[1])

    assert teachers("") == ("student",)
    assert teachers('teachers = ["large", "student"]') == ("large", "student")
    assert teachers("distill = false") == ()


def test_it_reads_back_as_it_was_written_and_follows_the_other_student():
    recipe = parse_recipe(AWARE)
    assert parse_recipe(to_toml(recipe)) == recipe
    wider = with_values(recipe, {"students.0.options": {"width": 12}})
    assert [student.options for student in wider.students] == [{"width": 12}] * 2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('of = "student"', 'of = "studnet"', "students.1.aware.of: no float student 'studnet'"),
        ('of = "student"', 'of = "studnet"', "did you mean 'student'"),
        ('of = "student"', 'of = "large"', "above it: student"),
        ('of = "student"', 'of = "second"', "students.1"),
        ('of = "student"', 'of = "student", weight_bits = 5', "weight_bits"),
        ('of = "student"', 'of = "student", weight_bits = 4', "need int8x4 in conversion.formats"),
        ('of = "student"', 'of = "student", ranges = "free"', "ranges"),
        ('of = "student" }', 'of = "student" }\nmodel = "ds-cnn"', "leave model out"),
        ('of = "student" }', 'of = "student" }\noptions = { width = 4 }', "leave options out"),
    ],
)
def test_what_does_not_fit_is_named(old, new, words):
    assert old in AWARE
    with pytest.raises(KdEdgeError) as caught:
        parse_recipe(AWARE.replace(old, new, 1))
    error = caught.value
    assert words in f"{error.where} {error.message}"


def test_one_that_starts_from_a_fitted_one_is_refused():
    text = AWARE.replace('name = "student"', 'name = "first"', 1).replace(
        "[[students]]", '[[students]]\nname = "student"\nmodel = "lda"\n[[students]]', 1
    )
    for more in ("", "epochs = 3\n"):
        with pytest.raises(KdEdgeError, match="fitted"):
            parse_recipe(text.replace(f"{OF}\nepochs = 3\n", f"{OF}\n{more}"))


def test_one_that_starts_from_a_rounded_one_is_refused():
    third = '[[students]]\nname = "third"\naware = { of = "second" }\nepochs = 1\n'
    with pytest.raises(KdEdgeError, match="no float student 'second' stands above 'third'"):
        parse_recipe(AWARE.replace("[[teachers]]", f"{third}[[teachers]]", 1))
