"""What a search may vary. Oracles: the recipe's own checks, and small values."""

from __future__ import annotations

import pytest
from build_samples import RECIPE

from kd_edge.base.errors import KdEdgeError
from kd_edge.recipe import Search, load_recipe, load_search, parse_recipe, with_values

SPACE = """
"students.0.learning_rate" = { low = 1e-4, high = 1e-2, log = true }
"students.student.options.width" = [16, 24]
"augmentation.warp" = { low = 0.0, high = 0.3 }
"distillation" = [
  { loss = "hinton", temperature = 3.0, alpha = 0.5, ensemble = "mean-logits" },
  { loss = "logit-mse", alpha = 0.5, ensemble = "mean-logits" },
]
"""
AUGMENTED = RECIPE + "[augmentation]\ncopies = 1\n"


def search_of(space: str = SPACE, more: str = "", recipe: str = AUGMENTED, tmp_path=None) -> Search:
    path = tmp_path / "recipe.toml"
    path.write_text(f"{recipe}\n[search]\n{more}\n[search.space]\n{space}")
    return load_search(path)[1]


@pytest.fixture
def read(tmp_path):
    """A function that reads a [search] table of the sample recipe."""
    return lambda *parts, **named: search_of(*parts, **named, tmp_path=tmp_path)


def test_a_space_is_lists_of_choices_and_ranges(read):
    space = read().space
    assert space["students.student.options.width"].values == (16, 24)
    assert space["students.0.learning_rate"].log
    assert not space["augmentation.warp"].whole
    assert [value["loss"] for value in space["distillation"].values] == ["hinton", "logit-mse"]


def test_keys_may_be_written_as_tables(read):
    """Oracle: the same space with its keys in quotes."""
    nested = "[search.space.augmentation]\nwarp = { low = 0.0, high = 0.3 }\ngain = [0.1, 0.2]\n"
    quoted = '"augmentation.warp" = { low = 0.0, high = 0.3 }\n"augmentation.gain" = [0.1, 0.2]'
    assert read(nested) == read(quoted)


def test_a_recipe_with_a_search_builds_as_one_without(tmp_path):
    """Oracle: the recipe without the table."""
    path = tmp_path / "recipe.toml"
    path.write_text(f"{AUGMENTED}\n[search.space]\n{SPACE}")
    assert load_recipe(path) == parse_recipe(AUGMENTED)


def test_a_file_of_its_own_takes_the_place_of_the_table(tmp_path, read):
    recipe, space = tmp_path / "recipe.toml", tmp_path / "space.toml"
    recipe.write_text(AUGMENTED)
    space.write_text(f"trials = 3\n[space]\n{SPACE}")
    with pytest.raises(KdEdgeError, match="does not say what to search"):
        load_search(recipe)
    found = load_search(recipe, space=space)[1]
    assert found == read(more="trials = 3")


def test_a_quick_form_changes_the_search_too(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(f"{AUGMENTED}\n[search.space]\n{SPACE}\n[quick.search]\ntrials = 2\n")
    assert load_search(path)[1].trials == 30
    assert load_search(path, quick=True)[1].trials == 2


@pytest.mark.parametrize(
    ("space", "code", "said"),
    [
        ('"student.0.epochs" = [1]', "KD_RECIPE_KEY", "did you mean 'students'"),
        ('"students.0.epoch" = [1]', "KD_RECIPE_KEY", "did you mean 'epochs'"),
        ('"students.studend.epochs" = [1]', "KD_RECIPE_KEY", "did you mean 'student'"),
        ('"students.3.epochs" = [1]', "KD_RECIPE_KEY", "it has 0, student"),
        ('"front_end.emgg.envelope_hz" = [1.0]', "KD_RECIPE_KEY", "did you mean 'emg'"),
        ('"front_end.acx" = [{}]', "KD_RECIPE_KEY", "did you mean 'acc'"),
        ('"front_end.emg.envelop_hz" = [1.0]', "KD_RECIPE_KEY", "did you mean 'envelope_hz'"),
        ('"students.0.epochs.x" = [1]', "KD_RECIPE_KEY", "'students.0.epochs' is 30"),
        ('"students.0.epochs" = [0]', "KD_RECIPE_VALUE", "greater than 0"),
        ('"students.0.epochs" = { low = 5, high = 2 }', "KD_RECIPE_VALUE", "above low"),
        ('"students.0.epochs" = []', "KD_RECIPE_VALUE", "at least 1"),
        ('"students.0.epochs" = [4, 4]', "KD_RECIPE_VALUE", "twice"),
        ('"students.0.epochs" = { low = 1 }', "KD_RECIPE_VALUE", "high"),
        ('"students.0.epochs" = { low = 1, high = 3, lag = true }', "KD_RECIPE_KEY", "'log'"),
        ("", "KD_RECIPE_VALUE", "nothing to search"),
        ('"distillation" = [{ loss = "hinton" }]', "KD_RECIPE_VALUE", "alpha"),
        ('"split.validation.repetitions" = [1, 2]', "KD_RECIPE_KEY", "cannot vary 'split'"),
        ('"dataset.classes" = [["a"]]', "KD_RECIPE_KEY", "cannot vary 'dataset'"),
        ('"seed" = [1, 2]', "KD_RECIPE_KEY", "cannot vary 'seed'"),
    ],
)
def test_a_key_or_value_that_the_recipe_does_not_take_is_refused(read, space, code, said):
    """Oracle: the recipe's own checks, with every value of a list and both ends of a range."""
    with pytest.raises(KdEdgeError) as caught:
        read(space)
    assert caught.value.code == code
    assert said in caught.value.message
    assert "search" in caught.value.where


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        ("trial = 3", "KD_RECIPE_KEY", "did you mean 'trials'"),
        ("budget = { int8_byte = 3 }", "KD_RECIPE_KEY", "did you mean 'int8_bytes'"),
        ("budget = { instructions = 3 }", "KD_RECIPE_VALUE", "name both"),
        ("trials = 0", "KD_RECIPE_VALUE", "greater than 0"),
        ('score = { kind = "last-repetitions", held_out = "each" }', "KD_RECIPE_VALUE", "takes"),
    ],
)
def test_a_mistake_in_the_table_itself_is_named(read, more, code, said):
    with pytest.raises(KdEdgeError) as caught:
        read(more=more)
    assert caught.value.code == code
    assert said in caught.value.message
    assert "search." in caught.value.where


def test_a_score_that_meets_the_validation_part_is_refused(read):
    """Oracle: the rules of splits. People may be scored in turn beside a person who validates."""
    people = RECIPE.replace(
        'kind = "last-repetitions"\nrepetitions = 1',
        'kind = "leave-one-subject-out"\nheld_out = ["S1"]',
    )
    score = 'score = { kind = "leave-one-subject-out", held_out = "each" }'
    space = '"students.0.epochs" = [1, 2]'
    for recipe in (AUGMENTED, people):
        assert read(space, score, recipe=recipe).score.held_out == "each"
    with pytest.raises(KdEdgeError, match="cannot stand beside the recipe's validation"):
        read(space, score.replace('"each"', '"next"'))


def test_other_values_make_another_recipe_and_nothing_else_changes():
    """Oracle: the tables, compared by hand."""
    recipe = parse_recipe(AUGMENTED)
    other = with_values(
        recipe,
        {"students.student.epochs": 3, "front_end.emg.adapt": True, "augmentation.warp": 0.1},
    )
    assert other.students[0].epochs == 3
    assert other.front_end["emg"].adapt
    assert other.augmentation.options == {"warp": 0.1}
    assert other.students[0].model_copy(update={"epochs": 30}) == recipe.students[0]
    assert with_values(recipe, {}) == recipe
