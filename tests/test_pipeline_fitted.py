"""Models that are fitted, not trained: a recipe's LDA and prototypes, from data to plain C.

Oracles: scikit-learn for LDA (tests/test_models_linear.py holds the mathematics), TFLite Micro for
plain C, and what the watch is told is done.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from build_samples import RECIPE
from eager import without_graphs
from programs import need

import kd_edge
from kd_edge.base.errors import KdEdgeError
from kd_edge.cli import run
from kd_edge.models import MODELS
from kd_edge.models.fitted import FITTED, Fitted
from kd_edge.pipeline.bundle import load_manifest
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Conversion, Student, load_recipe, parse_recipe, to_toml

pytest.importorskip("tensorflow")

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
START = RECIPE[: RECIPE.index("[[teachers]]")]
PROOF = (
    RECIPE[RECIPE.index("[conversion]") :]
    .replace("max_drop_points = 30.0", "")
    .replace('baselines = ["lda"]', "")
)
LDA = """[[students]]
name = "plain"
model = "lda"
options = { segments = 3 }
"""
STUDENT = """[[students]]
name = "student"
model = "tcn"
options = { blocks = 0 }
epochs = 1
distill = false
"""
TREES = """[[teachers]]
name = "forest"
model = "extra-trees"
options = { segments = 1, trees = 20 }

[distillation]
loss = "hinton"
temperature = 1.0
alpha = 0.0

"""
PROTOTYPE = """[[students]]
name = "nearest"
model = "prototype"
body = "student"
"""

PRODUCT = """[product]
models = ["{}"]
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, cache, converter):
    """LDA as the product, with prototypes on a student's embedding beside it."""
    folder = tmp_path_factory.mktemp("fitted")
    recipe = folder / "fitted.toml"
    recipe.write_text(START + LDA + STUDENT + PROTOTYPE + PROOF)
    with without_graphs():
        assert run(["build", str(recipe), "--out", str(folder / "out")]) == 0
    return folder / "out"


def test_a_fitted_model_is_built_and_proved_like_any_student(bundle):
    report = json.loads((bundle / "report.json").read_text())
    assert "failed" not in {gate["verdict"] for gate in report["gates"]}
    parity = report["parity"][-1]
    assert (parity["left"]["runtime"], parity["max_steps"]) == ("plain-c", 0)
    assert [curve["model"] for curve in report["curves"]] == ["student"]
    assert (bundle / "firmware" / "aot" / "kd_model.c").is_file()


def test_trees_teach_a_student_and_have_no_form_for_devices(tmp_path, cache, converter):
    """Oracle: the report; labels alone count for nothing here."""
    recipe = tmp_path / "trees.toml"
    taught = STUDENT.replace("distill = false", "").replace(
        "epochs = 1", "epochs = 12\nlearning_rate = 0.01"
    )
    recipe.write_text(START + TREES + taught + PROOF)
    with without_graphs():
        assert run(["build", str(recipe), "--out", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    rows = [row for row in report["rows"] if row["model"] == "forest"]
    assert [(row["format"], row["runtime"]) for row in rows] == [("keras", "keras")]
    shares = [part["accuracy"] for row in report["rows"] for part in row["accuracy"].values()]
    assert min(shares) > 0.45  # of 3 classes


def test_trees_are_no_student():
    with pytest.raises(KdEdgeError, match="runs on no device") as caught:
        parse_recipe(START + LDA.replace('"lda"', '"extra-trees"') + PROOF)
    assert caught.value.code == "KD_RECIPE_VALUE"


def test_lda_as_a_product_answers_on_other_runtimes_as_in_keras(bundle):
    """Every row of the product is within a point of Keras' on each test part."""
    rows = json.loads((bundle / "report.json").read_text())["rows"]
    plain = [row for row in rows if row["model"] == "plain"]
    figures = {
        (row["format"], row["runtime"]): [part["accuracy"] for part in row["accuracy"].values()]
        for row in plain
    }
    exact = np.array(figures.pop(("keras", "keras")))
    assert exact.min() > 0.5  # of 3 classes: it knows them
    assert np.abs(np.array(list(figures.values())) - exact).max() <= 0.01


@pytest.mark.qemu
@pytest.mark.parametrize("product", ["plain", "nearest"])
def test_a_fitted_product_answers_and_streams_on_a_board_as_on_the_host(
    bundle, product, tmp_path, converter, capsys
):
    """Oracle: TFLite Micro on this host, for windows that it is sent and windows that it cuts."""
    need("arm-none-eabi-gcc", "qemu-system-arm")
    out = shutil.copytree(bundle, tmp_path / "out")
    recipe = tmp_path / "fitted.toml"
    recipe.write_text(START + LDA + STUDENT + PROTOTYPE + PRODUCT.format(product) + PROOF)
    with without_graphs():
        assert run(["build", str(recipe), "--out", str(out)]) == 0
    assert load_manifest(out).product == product
    capsys.readouterr()
    asked = ["eval", str(out), "--board", "qemu-an386", "--limit", "12", "--json"]
    assert run([*asked, "--out", str(tmp_path / "eval")]) == 0
    (board,) = json.loads(capsys.readouterr().out)["boards"]
    (oracle,) = [each for each in board["agreement"] if each["runtime"] == "tflm"]
    assert (board["n_answered"], oracle["same_scores"]) == (12, 12)
    assert run(["live", str(out), "--board", "qemu-an386", "--windows", "6", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]
    assert (figures["compared"], figures["same_scores"], figures["lost_frames"]) == (6, 6, 0)


def test_int8_lda_of_real_recordings_loses_at_most_a_point(shared_data, tmp_path, cache, converter):
    """Oracle: Keras' answers on two people's 1,408 windows of later days: enough to see a point."""
    recipe = load_recipe(RECIPES / "longterm.toml")
    proof = recipe.proof.model_copy(
        update={"baselines": (), "latency_runs": 20, "parity_windows": 16}
    )
    changes = {
        "teachers": (),
        "students": (Student(name="plain", model="lda"),),
        "distillation": None,
        "augmentation": None,
        "conversion": Conversion(formats=("float32", "int8"), max_drop_points=1.0),
        "proof": proof,
    }
    path = tmp_path / "plain.toml"
    path.write_text(to_toml(recipe.model_copy(update=changes)))
    data, out = str(shared_data("myo_longterm")), str(tmp_path / "out")
    assert run(["build", str(path), "--data", data, "--out", out]) == 0
    gates = json.loads((tmp_path / "out" / "report.json").read_text())["gates"]
    drop = next(gate for gate in gates if gate["code"] == "KD_GATE_ACCURACY")
    assert drop["n_windows"] > 1000
    assert drop["value"] <= 1.0


class Told(Watch):
    """The stages that were really done."""

    def __init__(self):
        self.worked: set[str] = set()

    def stage(self, name, cached):
        if not cached:
            self.worked.add(name)


def trial(text):
    told = Told()
    with without_graphs():
        return kd_edge.train_and_score(parse_recipe(text), watch=told), told.worked


def test_prototypes_are_fitted_again_when_their_body_changes(bundle):
    """Oracle: LDA and its figures stay; the build of the bundle has left them in the cache."""
    text = START + LDA + STUDENT.replace("epochs = 1", "epochs = 2") + PROTOTYPE + PROOF
    found, worked = trial(text)
    assert {"train student", "fit nearest"} <= worked
    assert "fit plain" not in worked
    assert [model.name for model in found.students] == ["plain", "student", "nearest"]


def test_a_fitted_model_of_your_own_is_one_entry_in_two_tables(cache):
    """A fixed answer, whatever the window: its share of the classes is the figure."""
    MODELS.add("kd_edge.models.linear:prototype", name="fixed")
    FITTED.add(Fitted("fixed", always_the_first))
    try:
        found, _ = trial(START + LDA.replace('"lda"', '"fixed"') + PROOF)
        assert found.students[0].figures["unseen person"].value == pytest.approx(1 / 3)
    finally:
        FITTED.remove("fixed")
        MODELS.remove("fixed")


def always_the_first(network, vectors, truth, **options):
    kernel, bias = network.get_layer("logits").get_weights()
    network.get_layer("logits").set_weights([0 * kernel, -np.arange(len(bias))])


def test_a_recipe_of_fitted_models_reads_back_as_it_was():
    recipe = parse_recipe(START + LDA + STUDENT + PROTOTYPE + PROOF)
    assert parse_recipe(to_toml(recipe)) == recipe
    assert all(recipe.teachers_of(model) == () for model in recipe.students)
    inputs = [recipe.inputs_of(model) for model in recipe.students]
    assert inputs == [("emg", "imu")] * 3


def test_a_prototype_takes_the_inputs_of_its_body():
    text = START + STUDENT.replace("epochs", 'inputs = ["imu"]\nepochs') + PROTOTYPE + PROOF
    recipe = parse_recipe(text)
    assert recipe.inputs_of(recipe.students[1]) == ("imu",)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (LDA, LDA + "epochs = 3\n", "students.0.epochs: 'lda' is fitted"),
        (LDA, LDA + "patience = 3\n", "students.0.patience"),
        (LDA, LDA + "learning_rate = 0.1\n", "students.0.learning_rate"),
        (LDA, LDA + 'learning_rate_decay = "cosine"\n', "students.0.learning_rate_decay"),
        (LDA, LDA + "batch_size = 8\n", "students.0.batch_size"),
        (LDA, LDA + "label_smoothing = 0.1\n", "students.0.label_smoothing"),
        (LDA, LDA + "class_weights = { a = 2.0 }\n", "students.0.class_weights"),
        (LDA, LDA + 'teachers = ["student"]\n', "students.0.teachers"),
        ("epochs = 1\n", "", "students.1.epochs: 'tcn' is trained in epochs"),
        ("epochs = 1\n", 'epochs = 1\nbody = "plain"\n', "students.1.body: 'tcn' has"),
        ('body = "student"', 'body = "studnet"', "did you mean 'student'"),
        ('body = "student"', 'body = "plain"', "students.2.body: 'plain' is fitted"),
        ('body = "student"', 'body = "nearest"', "stands above 'nearest'"),
        ('body = "student"', 'body = "student"\ninputs = ["imu"]', "students.2.inputs"),
    ],
)
def test_keys_that_do_not_fit_are_named(old, new, words):
    text = START + LDA + STUDENT + PROTOTYPE + PROOF
    assert old in text
    with pytest.raises(KdEdgeError) as caught:
        parse_recipe(text.replace(old, new))
    assert caught.value.code == "KD_RECIPE_VALUE"
    assert words in f"{caught.value.where}: {caught.value.message}"


def test_options_of_windows_are_refused_with_a_body_before_any_work(cache):
    text = START + STUDENT + PROTOTYPE + "options = { segments = 2 }\n" + PROOF
    with pytest.raises(KdEdgeError, match="stands on another's embedding") as caught:
        trial(text)
    assert "nearest" in caught.value.where
