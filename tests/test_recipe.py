"""Recipes: what is accepted, and how a mistake is told."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.recipe import Recipe, load_recipe, parse_recipe, to_toml

MINIMAL = """
name = "mine"
[dataset]
reader = "folder"
[front_end.emg]
[windows]
length_s = 2.0
inputs = { all = ["emg"] }
[split]
validation = { kind = "random", fraction = 0.1 }
[[split.test]]
kind = "last-repetitions"
repetitions = 2
[[students]]
name = "student"
model = "tcn"
epochs = 3
distill = false
"""


def test_a_recipe_with_every_default_filled_in_reads_back_equal():
    recipe = parse_recipe(MINIMAL)
    assert parse_recipe(to_toml(recipe)) == recipe
    assert parse_recipe(to_toml(recipe)).sha256 == recipe.sha256


def test_a_copy_of_a_recipe_finds_its_recordings_and_asks_for_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = parse_recipe(MINIMAL.replace('"folder"', '"folder"\npath = "data"'))
    copy = parse_recipe(to_toml(recipe.reading(Path("data"))))
    assert copy.dataset.path == str(tmp_path / "data")
    assert copy.sha256 == recipe.sha256


def test_an_unknown_key_is_named_with_the_nearest_known_one():
    with pytest.raises(KdEdgeError) as caught:
        parse_recipe(MINIMAL.replace("epochs", "epoch"))
    assert caught.value.code == "KD_RECIPE_KEY"
    assert caught.value.exit_status == ExitStatus.USAGE
    assert "did you mean 'epochs'" in caught.value.message
    assert "students.0.epoch" in caught.value.where


def test_an_unknown_key_of_a_modality_is_found_inside_its_table():
    with pytest.raises(KdEdgeError) as caught:
        parse_recipe(MINIMAL.replace("[front_end.emg]", "[front_end.emg]\nnotchhz = [50]"))
    assert "did you mean 'notch_hz'" in caught.value.message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("length_s = 2.0", "length_s = -1", "windows.length_s: Input should be greater than 0"),
        ("fraction = 0.1", "fraction = 1.5", "less than 1"),
        ('["emg"]', '["emgs"]', "did you mean 'emg'"),
        ("repetitions = 2", "fraction = 0.5", "takes repetitions, not fraction"),
        ("distill = false", "", "no [[teachers]]"),
        ("epochs = 3", 'epochs = "three"', "valid integer"),
        ('name = "mine"', 'name = "my recipe"', "match pattern"),
        ("[front_end.emg]", "[front_end.emg]\nband_pass_hz = [450, 20]", "low < high"),
        ("length_s = 2.0", "length_s = inf", "windows.length_s: Input should be a finite number"),
        ("epochs = 3", "epochs = 3\nlearning_rate = nan", "a finite number"),
        ('"folder"', '"folder"\nclasses = ["a", "b", "a"]', "dataset.classes: a class stands"),
        ("[split]", '[conversion]\nformats = ["int8"]\n[split]', "float32 is missing"),
        ("[split]", "[decision]\nenter = 0.2\n[split]", "decision.leave: 0.3 is above enter"),
        ("[split]", "[decision]\nwindows = 256\n[split]", "decision.windows"),
        ("[split]", '[decision]\nreject_by = ["luck"]\n[split]', "'confidence'"),
        (
            '"folder"',
            '"folder"\nclasses = ["a", "b"]\nunknown_classes = ["b"]',
            "dataset.unknown_classes: 'b' is one of",
        ),
        ("[split]", '[conversion]\nformats = ["int-8"]\n[split]', "did you mean 'int8'"),
        ("[split]", '[conversion]\nteacher_formats = ["flota16"]\n[split]', "'float16'"),
    ],
)
def test_a_value_out_of_range_says_which_and_why(old, new, words):
    with pytest.raises(KdEdgeError) as caught:
        parse_recipe(MINIMAL.replace(old, new))
    assert caught.value.code == "KD_RECIPE_VALUE"
    assert words in caught.value.message


TAUGHT = (
    MINIMAL.replace("distill = false", "")
    + """
[[students]]
name = "second"
model = "tcn"
epochs = 3
[[teachers]]
name = "large"
model = "conv-teacher"
epochs = 3
[[teachers]]
name = "assistant"
model = "conv-teacher"
epochs = 3
teachers = ["large"]
[distillation]
loss = "logit-mse"
alpha = 0.5
ensemble = "mean-logits"
"""
)


def test_a_model_learns_from_those_that_it_names():
    """Oracle: the rules of the manual: teachers from labels, students from all teachers."""
    text = TAUGHT.replace('name = "second"', 'name = "second"\nteachers = ["student", "assistant"]')
    recipe = parse_recipe(text)
    learnt = {m.name: recipe.teachers_of(m) for m in (*recipe.teachers, *recipe.students)}
    assert learnt == {
        "large": (),
        "assistant": ("large",),
        "student": ("large", "assistant"),
        "second": ("student", "assistant"),
    }
    assert parse_recipe(to_toml(recipe)) == recipe


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["large"]', '["lagre"]', "teachers.1.teachers: no model 'lagre' stands above"),
        ('["large"]', '["lagre"]', "did you mean 'large'"),
        ('["large"]', '["student"]', "no model 'student' stands above 'assistant'"),
        ('["large"]', '["assistant"]', "above it: large"),
        ('["large"]', '["large", "large"]', "stands there twice"),
        ('["large"]', "[]", "teachers.1.teachers"),
        ('"second"', '"second"\ndistill = false\nteachers = ["large"]', "the labels alone"),
        ('ensemble = "mean-logits"', "", "distillation.ensemble must say"),
        (TAUGHT[TAUGHT.index("[distillation]") :], "", "[distillation] must say"),
    ],
)
def test_teachers_that_cannot_teach_are_refused(old, new, words):
    """Oracle: what the error says."""
    with pytest.raises(KdEdgeError) as caught:
        parse_recipe(TAUGHT.replace(old, new))
    assert caught.value.code == "KD_RECIPE_VALUE"
    assert words in caught.value.message


def test_no_teacher_is_dropped_where_no_model_has_several():
    """Oracle: what the error says."""
    text = TAUGHT.replace("epochs = 3\n", 'epochs = 3\nteachers = ["large"]\n')
    text = text.replace(
        'name = "large"\nmodel = "conv-teacher"\nepochs = 3\nteachers = ["large"]',
        'name = "large"\nmodel = "conv-teacher"\nepochs = 3',
    )
    text = text.replace('teachers = ["large"]\nteachers = ["large"]', 'teachers = ["large"]')
    assert parse_recipe(text)
    with pytest.raises(KdEdgeError, match="no model has several teachers"):
        parse_recipe(text + "drop_teachers = true\n")


@pytest.mark.parametrize(
    ("validation", "where"),
    [
        ('{ kind = "leave-one-subject-out", held_out = ["S2"] }', "split.validation.kind"),
        ('{ kind = "random", fraction = 0.1 }', None),
    ],
)
def test_folds_over_every_subject_leave_no_subject_for_validation(validation, where):
    """Oracle: in the fold that tests S2, no recording of S2 is left to validate on."""
    each = MINIMAL.replace("repetitions = 2", 'held_out = "each"')
    each = each.replace("last-repetitions", "leave-one-subject-out")
    text = each.replace('{ kind = "random", fraction = 0.1 }', validation)
    if where is None:
        assert parse_recipe(text).split.test[0].held_out == "each"
        return
    with pytest.raises(KdEdgeError) as caught:
        parse_recipe(text)
    assert caught.value.code == "KD_RECIPE_VALUE"
    assert caught.value.where.endswith(where)


def test_a_file_that_is_no_text_is_no_missing_file(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3\xff\xfe")
    with pytest.raises(KdEdgeError) as caught:
        load_recipe(tmp_path / "model.tflite")
    assert caught.value.code == "KD_RECIPE_SYNTAX"


def test_choices_that_change_a_result_have_no_default():
    for line in ("repetitions = 2", "epochs = 3", "length_s = 2.0"):
        key = line.partition(" ")[0]
        with pytest.raises(KdEdgeError, match=r"required|not nothing|say how") as caught:
            parse_recipe(MINIMAL.replace(line, ""))
        assert caught.value.code == "KD_RECIPE_VALUE"
        assert key in f"{caught.value.message} {caught.value.where}"


def test_text_that_is_not_toml_names_the_line():
    with pytest.raises(KdEdgeError) as caught:
        parse_recipe("name = \n")
    assert caught.value.code == "KD_RECIPE_SYNTAX"
    assert "line 1" in caught.value.message


def test_a_missing_recipe_is_named(tmp_path):
    with pytest.raises(KdEdgeError) as caught:
        load_recipe(tmp_path / "none.toml")
    assert caught.value.code == "KD_NO_FILE"
    assert "none.toml" in caught.value.where


def test_every_recipe_of_the_project_is_valid(pytestconfig):
    recipes = sorted((pytestconfig.rootpath / "recipes").glob("*.toml"))
    assert len(recipes) >= 5
    for path in recipes:
        assert load_recipe(path).name == path.stem


def test_every_key_stands_in_the_documentation(pytestconfig):
    text = (pytestconfig.rootpath / "docs" / "recipes.md").read_text(encoding="utf-8")
    schema = Recipe.model_json_schema()
    keys = {key for table in schema["$defs"].values() for key in table["properties"]}
    missing = sorted(key for key in keys | {"seed", "summary"} if f"`{key}`" not in text)
    # `test` and `validation` are the documentation's own headings.
    assert missing == ["test", "validation"]


def test_the_recipe_that_the_manual_begins_with_is_one(pytestconfig):
    """Oracle: the manual; its other examples are TOML with keys that the tables know."""
    text = (pytestconfig.rootpath / "docs" / "recipes.md").read_text()
    whole, *parts = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert parse_recipe(whole).students[0].name == "student"
    for part in parts:
        assert set(tomllib.loads(part)) <= {*Recipe.model_fields, "quick"}


QUICK = """
[quick.windows]
length_s = 1.0
[[quick.students]]
name = "student"
epochs = 1
"""


def test_a_quick_form_changes_the_keys_that_it_names_and_says_so():
    whole, quick = (parse_recipe(MINIMAL + QUICK, quick=form) for form in (False, True))
    assert whole == parse_recipe(MINIMAL)
    assert (whole.form, quick.form, quick.name) == ("whole", "quick", "mine-quick")
    assert (quick.windows.length_s, quick.students[0].epochs) == (1.0, 1)
    assert quick.windows.inputs == whole.windows.inputs
    assert quick.students[0].model == "tcn"
    assert parse_recipe(to_toml(quick)) == quick


def test_a_quick_form_says_anew_what_classes_weigh():
    """Oracle: by hand; the whole form knows classes that the small one has not."""
    text = MINIMAL.replace("distill = false", "distill = false\nclass_weights = { a = 2, b = 3 }")
    text += QUICK + "class_weights = { a = 4 }\n"
    whole, quick = (parse_recipe(text, quick=form).students[0] for form in (False, True))
    assert (whole.class_weights, quick.class_weights) == ({"a": 2, "b": 3}, {"a": 4})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("epochs = 1", "epoch = 1", "did you mean 'epochs'"),
        ('name = "student"\nepochs = 1', 'name = "studnt"\nepochs = 1', "did you mean 'student'"),
        ("epochs = 1", "epochs = 0", "greater than 0"),
    ],
)
def test_a_mistake_in_the_quick_form_is_told_before_anybody_asks_for_it(old, new, words):
    with pytest.raises(KdEdgeError) as caught:
        parse_recipe(MINIMAL + QUICK.replace(old, new))
    assert words in caught.value.message
    assert "[quick]" in caught.value.where


def test_a_recipe_without_a_quick_form_says_so_where_one_is_asked_for():
    with pytest.raises(KdEdgeError) as caught:
        parse_recipe(MINIMAL, quick=True)
    assert "no quick form" in caught.value.message
    with pytest.raises(KdEdgeError, match="did you mean 'quick'"):
        parse_recipe(MINIMAL + "[quik]\nname = 'x'\n")


@pytest.mark.parametrize(
    "options", ["x = nan", "x = [1.5, inf]", "x = 2020-01-01", "x = { y = [nan] }"]
)
def test_an_option_that_a_recipe_could_not_be_written_with_is_refused(options):
    """Oracle: TOML's own numbers and dates, which JSON lacks."""
    table = f"distill = false\noptions = {{ {options} }}"
    with pytest.raises(KdEdgeError, match="an option is text, a finite number") as caught:
        parse_recipe(MINIMAL.replace("distill = false", table))
    assert caught.value.code == "KD_RECIPE_VALUE"
    assert "options" in caught.value.where


@pytest.mark.parametrize("value", ["nan", "2020-01-01", "{ largest_s = inf }"])
def test_an_option_of_a_loss_or_an_augmentation_is_held_to_the_same(value):
    """Oracle: as above; these options are keys of their table."""
    with pytest.raises(KdEdgeError, match="an option is text, a finite number") as caught:
        parse_recipe(MINIMAL + f"[augmentation]\ncopies = 1\nshift = {value}\n")
    assert caught.value.code == "KD_RECIPE_VALUE"


def test_a_recipe_without_an_end_is_refused_unread():
    """Oracle: a device that never ends."""
    with pytest.raises(KdEdgeError, match="larger than 1,000,000 bytes") as caught:
        load_recipe(Path("/dev/zero"))
    assert caught.value.code == "KD_NO_FILE"


TWO = (
    MINIMAL
    + """
[[students]]
name = "large"
model = "tcn"
epochs = 3
distill = false
"""
)


def test_the_first_student_ships_unless_the_recipe_says_otherwise():
    assert parse_recipe(TWO).product_name == "student"
    assert parse_recipe(TWO + '[product]\nmodels = ["large"]').product_name == "large"
    both = '[product]\nname = "both"\nmodels = ["student", "large"]\n'
    recipe = parse_recipe(both.join([TWO, 'rule = "cascade"\nmargin = 1.5']))
    assert (recipe.product_name, recipe.product.margins) == ("both", (1.5,))
    assert parse_recipe(to_toml(recipe)) == recipe


@pytest.mark.parametrize(
    ("text", "key", "told"),
    [
        ('models = ["larg"]', "product.models.0", "did you mean 'large'"),
        ('models = ["large", "large"]\nname = "b"\nrule = "average"', "product.models", "once"),
        ('models = ["student", "large"]\nrule = "average"', "product.name", "name is missing"),
        ('models = ["student", "large"]\nname = "b"', "product.rule", "rule is missing"),
        ('models = ["large"]\nrule = "average"', "product.rule", "leave rule out"),
        ('models = ["student", "large"]\nname = "b"\nrule = "vote"', "product.rule", "cascade"),
        (
            'models = ["student", "large"]\nname = "large"\nrule = "average"',
            "product.name",
            "otherwise",
        ),
        ('models = ["student", "large"]\nname = "b"\nrule = "cascade"', "product.margin", "needs"),
        (
            'models = ["student", "large"]\nname = "b"\nrule = "average"\nmargin = 1',
            "product.margin",
            "only a cascade",
        ),
        (
            'models = ["student", "large"]\nname = "b"\nrule = "cascade"\nmargin = [1, 2]',
            "product.margin",
            "or 1 for 2 models",
        ),
        (
            'models = ["student", "large"]\nname = "b"\nrule = "cascade"\nmargin = 1\n'
            "max_drop_points = 0.5",
            "product.margin",
            "not both",
        ),
        (
            'models = ["student", "large"]\nname = "b"\nrule = "average"\nmax_drop_points = 0.5',
            "product.max_drop_points",
            "only a cascade",
        ),
        (
            'models = ["student", "large"]\nname = "b"\nrule = "cascade"\nmargin = -1',
            "product.margin.0",
            "greater than or equal to 0",
        ),
    ],
)
def test_a_product_that_does_not_fit_is_told_by_its_key(text, key, told):
    with pytest.raises(KdEdgeError) as caught:
        parse_recipe(f"{TWO}[product]\n{text}")
    assert caught.value.code == "KD_RECIPE_VALUE"
    assert key in caught.value.where
    assert told in caught.value.message


def test_an_unknown_key_of_the_product_is_named_with_the_nearest():
    with pytest.raises(KdEdgeError, match="did you mean 'margin'") as caught:
        parse_recipe(f'{TWO}[product]\nmodels = ["large"]\nmargn = 1')
    assert caught.value.code == "KD_RECIPE_KEY"
