"""Students that begin with layers of a teacher. Oracle: the manual's words, and what errors say."""

from __future__ import annotations

import pytest
from test_recipe import TAUGHT

from kd_edge.base.errors import KdEdgeError
from kd_edge.recipe import parse_recipe, to_toml


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"second"', '"second"\nlayers_from = "lagre"', "students.1.layers_from: 'lagre' is no"),
        ('"second"', '"second"\nlayers_from = "lagre"', "did you mean 'large'?); it has large"),
        ('"second"', '"second"\nlayers_from = "student"', "it has large, assistant"),
        (
            '"second"',
            '"second"\nlayers_from = "techer"\nteachers = ["techer"]',
            "students.1.teachers: no model 'techer' stands above",
        ),
        (
            '"second"',
            '"second"\nlayers_from = "large"\ngenerations = 2',
            "students.1.layers_from: each generation learns from the one before it",
        ),
        (
            '[[teachers]]\nname = "large"',
            '[[students]]\nname = "third"\naware = { of = "second" }\nepochs = 1\n[[students]]\n'
            'name = "fourth"\nmodel = "tcn"\nepochs = 1\nteachers = ["third"]\n'
            'layers_from = "third"\n[[teachers]]\nname = "large"',
            "'third' has int8's layers: name 'second'",
        ),
        ('"second"', '"second"\nlayers_from = "large"\ndistill = false', "it has none"),
        ('"second"', '"second"\nlayers_from = "large"\naware = { of = "student" }', "leave it out"),
        (
            'name = "large"\nmodel = "conv-teacher"\nepochs = 3',
            'name = "large"\nmodel = "lda"\n[[students]]\nname = "third"\nmodel = "tcn"\n'
            'epochs = 3\nlayers_from = "large"',
            "'large' is not trained here in steps",
        ),
    ],
)
def test_teachers_that_cannot_give_layers_are_refused(old, new, words):
    assert old in TAUGHT
    with pytest.raises(KdEdgeError) as caught:
        parse_recipe(TAUGHT.replace(old, new))
    assert caught.value.code == "KD_RECIPE_VALUE"
    assert words in caught.value.message


def test_on_labels_alone_a_student_has_nothing_of_its_teachers():
    text = TAUGHT.replace('"second"', '"second"\nlayers_from = "large"\nteachers = ["large"]')
    recipe = parse_recipe(text)
    assert parse_recipe(to_toml(recipe)) == recipe
    alone = recipe.students[1].on_labels("alone")
    plain = parse_recipe(TAUGHT.replace('"second"', '"alone"\ndistill = false')).students[1]
    assert alone == plain
