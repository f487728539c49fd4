"""What classes weigh: wrong names and numbers are told before anything is trained."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from build_samples import RECIPE

from kd_edge.base.errors import KdEdgeError
from kd_edge.examples import Examples, Groups
from kd_edge.pipeline.names import check_networks
from kd_edge.pipeline.stages import Stages
from kd_edge.recipe import parse_recipe

STUDENT = 'name = "student"\n'
LOSS = 'loss = "hinton"\ntemperature = 3.0\n'


def context(stages, text, classes=("a", "b", "c")):
    """A recipe's context on windows of some classes, before anything is trained."""
    shapes = {"emg": (4, 12, 2), "imu": (4, 12, 3)}
    examples = Examples(
        inputs={name: np.zeros((3, *shape), "f4") for name, shape in shapes.items()},
        truth=np.arange(3),
        groups=Groups.each(["r0", "r1", "r2"], subject="S1"),
        class_names=classes,
    )
    dataset = SimpleNamespace(examples=examples)
    return SimpleNamespace(recipe=parse_recipe(text), stages=stages, dataset=dataset)


def weighed(table):
    assert RECIPE.count(STUDENT) == 1
    return RECIPE.replace(STUDENT, f"{STUDENT}class_weights = {table}\n")


def test_a_class_that_the_data_lack_is_told_before_anything_is_trained(tmp_path):
    """Oracle: the error; the same recipe passes on data that have the class."""
    stages, text = Stages(tmp_path), weighed("{ a = 2.0, c = 0.5 }")
    check_networks(context(stages, text))
    with pytest.raises(KdEdgeError, match="there is no class 'c'") as caught:
        check_networks(context(stages, text, classes=("a", "b", "d")))
    assert caught.value.code == "KD_UNKNOWN_NAME"
    assert caught.value.where == "the model 'student', class_weights"
    assert "a, b, d" in caught.value.hint


@pytest.mark.parametrize("form", ["alone", "in a sum"])
def test_a_loss_with_weights_of_other_classes_is_told_before_anything_is_trained(form, tmp_path):
    """Oracle: the error of a loss alone and of one inside a sum."""
    assert RECIPE.count(LOSS) == 1
    weights = "class_weights = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]"
    term = f'{{ loss = "hinton", temperature = 3.0, {weights} }}'
    loss = {"alone": f"{LOSS}{weights}\n", "in a sum": f'loss = "sum"\nterms = [{term}]\n'}[form]
    with pytest.raises(KdEdgeError, match="class_weights has 7 numbers") as caught:
        check_networks(context(Stages(tmp_path), RECIPE.replace(LOSS, loss)))
    assert caught.value.code == "KD_RECIPE_VALUE"
    assert caught.value.where == "distillation, class_weights"


def test_a_recipe_that_weighs_no_class_has_the_digest_that_it_had():
    """Oracle: the key is not in its JSON, of which the digest is."""
    assert "class_weights" not in parse_recipe(RECIPE).to_json()
    assert "class_weights" in parse_recipe(weighed("{ a = 2.0 }")).to_json()
