"""In how many places each kind of thing is added: one or two, and a third is a fault.

For each kind a test adds one from outside by the calls that CONTRIBUTING names, and uses it to the
end. Oracles: CONTRIBUTING's own table for the number of calls, the sources for names that stand
anywhere else, TFLite Micro for the operator and its kernel, and the real compiler for the core.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")

from adding import ROOT, added
from format_samples import recording
from tflite_samples import write_conv_model

from firmware_export.aot.cores import CORES
from firmware_export.aot.kernels import KERNEL_FOLDERS
from firmware_export.aot.lower import LOWERINGS
from firmware_export.aot.operator_table import OPERATORS
from firmware_export.boards import BOARDS
from firmware_export.boards.kinds import KINDS, PROJECTS, TIMERS, UARTS
from firmware_export.flasher import FLASH_TOOLS
from firmware_export.projects.layouts import LAYOUTS
from kd_edge import images
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.formats import FORMATS, Format
from kd_edge.base.registry import Registry
from kd_edge.convert import routes
from kd_edge.convert.routes import ROUTES, Route
from kd_edge.convert.tflite import to_tflite
from kd_edge.distill.augmentations import AUGMENTATIONS, Augmentation, make_augmentations
from kd_edge.distill.catalogue import DOCUMENT, document
from kd_edge.distill.ensemble import ENSEMBLES, Ensemble, combine
from kd_edge.distill.foreign.opening import TEACHER_FILES
from kd_edge.distill.losses import LOSSES, Loss, make_loss
from kd_edge.distill.losses.sample_weights import SAMPLE_WEIGHTS
from kd_edge.link.reset import STRATEGIES
from kd_edge.live.sources import SOURCES, SourceKind
from kd_edge.live.sources import open_source as open_live_source
from kd_edge.measure.baselines import BASELINES
from kd_edge.models import MODELS, build_model
from kd_edge.models.fitted import FITTED
from kd_edge.recipe import parse_recipe
from kd_edge.report.choose import forms_by_choice
from kd_edge.report.words import runtime_name
from kd_edge.runtimes.registry import RUNTIMES, available, open_interpreter
from kd_edge.runtimes.tflm import TFLM
from kd_edge.signals import READERS, Reader
from kd_edge.signals import read as read_recordings
from kd_edge.signals.convert import WRITERS, Writer, write_folder
from kd_edge.tasks import TASKS, find_task
from kd_edge.tasks.classification import CLASSIFICATION

# Kind, as CONTRIBUTING's table names it -> the tables that one more of it is added to.
TABLES: dict[str, tuple[Registry, ...]] = {
    "reader": (READERS,),
    "format of recordings": (WRITERS,),
    "image set": (images.READERS,),
    "task": (TASKS,),
    "loss": (LOSSES,),
    "sample weight": (SAMPLE_WEIGHTS,),
    "augmentation": (AUGMENTATIONS,),
    "model": (MODELS,),
    "teacher file": (TEACHER_FILES,),
    "fitted model": (MODELS, FITTED),
    "way to join teachers": (ENSEMBLES,),
    "baseline": (BASELINES,),
    "runtime": (RUNTIMES,),
    "format": (FORMATS, ROUTES),
    "operator": (OPERATORS, LOWERINGS),
    "kernel": (KERNEL_FOLDERS,),
    "core": (CORES,),
    "board": (BOARDS,),
    "kind of board": (KINDS,),
    "kind of project": (PROJECTS, LAYOUTS),
    "kind of serial port": (UARTS,),
    "kind of timer": (TIMERS,),
    "tool that flashes": (FLASH_TOOLS,),
    "reset strategy": (STRATEGIES,),
    "live source": (SOURCES,),
}


def test_contributing_says_truly_in_how_many_places_each_kind_is_added():
    """Oracle: the tables that these tests, and those of test_places_of_boards.py, add to."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z -]+?) \| ([12]) \|", text, re.MULTILINE)
    assert {kind: int(n) for kind, n in rows} == {kind: len(t) for kind, t in TABLES.items()}
    assert max(map(len, TABLES.values())) <= 2


def test_contributing_names_every_table():
    """Oracle: the sources. Engines and radios need more than a record: code of the firmware's."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    sources = [*ROOT.glob("kd_edge/**/*.py"), *ROOT.glob("firmware_export/**/*.py")]
    table = re.compile(r"^([A-Z_]+)\b.* = Registry\(", re.MULTILINE)
    found = {name for path in sources for name in table.findall(path.read_text("utf-8"))}
    assert {name for name in found if f"`{name}" not in text} == {"ENGINES", "RADIOS"}


# --- one more of each, from outside, used to the end ---

OPTIONS = {"times": int}


def open_source(address: str, options):
    return address * options["times"]


def test_a_live_source_is_one_call():
    with added((SOURCES, "mine", SourceKind("mine", "mine://a", "ours", __name__))):
        assert open_live_source("mine://ab?times=2") == "abab"


N_CLASSES = 3
WINDOW = (12, 2)


def sniff(path) -> bool:
    return Path(path).suffix == ".mine"


def read(path, *, marks: int = 1):
    return [(Path(path).name, marks)]


def data_file():
    return Path(__file__)


def test_a_reader(tmp_path):
    (tmp_path / "a.mine").touch()
    with added((READERS, "mine", Reader("mine", "of this test", __name__))):
        assert read_recordings(tmp_path / "a.mine", marks=3) == [("a.mine", 3)]
    with pytest.raises(KdEdgeError, match="no reader knows"):
        read_recordings(tmp_path / "a.mine")


def test_a_format_of_recordings(tmp_path):
    mine = Writer("mine", ".mine", lambda made, path: path.write_text(made.label))
    with added((WRITERS, "mine", mine)):
        write_folder([recording()], tmp_path / "out", WRITERS.find("mine"))
    assert (tmp_path / "out" / "S1_house_day-1_02.mine").read_text() == "house"


def test_an_image_set(tmp_path):
    from kd_edge.pipeline.names import check_names

    digits = (ROOT / "recipes" / "digits.toml").read_text(encoding="utf-8")
    recipe = parse_recipe(digits.replace('reader = "digits"', 'reader = "mine"'))
    with pytest.raises(KdEdgeError, match="'mine'"):
        check_names(recipe)
    with added((images.READERS, "mine", Reader("mine", "of this test", __name__))):
        check_names(recipe)
        assert images.READERS.find("mine").read(tmp_path) == [(tmp_path.name, 1)]


def test_a_task():
    mine = replace(CLASSIFICATION, name="mine")
    with added((TASKS, "mine", mine)):
        assert find_task("mine") is mine


class Mine(Loss):
    """Nothing.

    Options:
        weight: of it.
    """

    weight: float = 1.0


def test_a_loss():
    text = DOCUMENT.read_text(encoding="utf-8")
    with added((LOSSES, "mine", Mine)):
        assert make_loss("mine", {"weight": 2.0}).weight == 2.0
        inside = make_loss("sum", {"terms": [{"loss": "mine", "weight": 0.5}]})
        assert isinstance(inside.terms[0].loss, Mine)
        assert "| `mine` | Nothing | `weight`: of it |" in document(text)
    assert "`mine`" not in document(text)


def test_a_sample_weight():
    with added((SAMPLE_WEIGHTS, "mine", lambda batch: 1.0)):
        options = {"terms": [{"loss": "labels", "sample_weight": "mine"}]}
        assert make_loss("sum", options).terms[0].sample_weight == "mine"


class Doubled(Augmentation):
    """Everything twice as strong.

    Options:
        share: of the examples.
    """

    factor: float

    def change(self, inputs, draw):
        return {name: self.factor * x for name, x in inputs.items()}


def test_an_augmentation():
    with added((AUGMENTATIONS, "doubled", Doubled)):
        (made,) = make_augmentations({"doubled": 2.0})
        assert made.change({"a": np.ones(2)}, None)["a"].tolist() == [2, 2]


def flat(input_shapes, n_classes, *, scale: float = 1.0):
    import keras

    ((name, shape),) = input_shapes.items()
    window = keras.Input(shape, name=name)
    x = keras.layers.Rescaling(scale)(window) if scale != 1 else window
    x = keras.layers.Flatten()(x)
    return keras.Model([window], keras.layers.Dense(n_classes, name="logits")(x))


def build_flat():
    return build_model("flat", input_shapes={"a": WINDOW}, n_classes=N_CLASSES, seed=1, options={})


def test_a_model():
    with added((MODELS, "flat", flat)):
        assert build_flat().output_shape == (None, N_CLASSES)


def test_a_teacher_file(tmp_path):
    from kd_edge.distill.foreign.opening import TeacherFileKind, open_teacher
    from kd_edge.distill.foreign.settings import TeacherFile

    def open_mine(given):
        content = given.path.read_text()
        return given.settings.name, content, given.shapes, given.class_names, given.truth_shape

    path = tmp_path / "big.mine"
    path.write_text("a network")
    settings = TeacherFile(name="big", file=str(path), classes="same")
    shapes = {"all": WINDOW}
    with added((TEACHER_FILES, ".mine", TeacherFileKind(".mine", "my file", "mine", open_mine))):
        found = open_teacher(settings, shapes=shapes, class_names=("a", "b"))
    assert found == ("big", "a network", shapes, ("a", "b"), ())


def test_a_way_to_join_teachers():
    first = Ensemble("first", lambda logits, accuracies: logits[0])
    with added((ENSEMBLES, "first", first)):
        logits = [np.array([[3.0, 1.0]], np.float32), np.array([[0.0, 9.0]], np.float32)]
        assert combine(logits, method="first").tolist() == [[3.0, 1.0]]


def test_a_runtime(tmp_path):
    path = write_conv_model(tmp_path / "m.tflite", quantised=True)
    mine = replace(TFLM, name="mine", title="My runtime", oracle=False)
    absent = replace(mine, name="absent", package="not_installed.at_all")
    with added((RUNTIMES, "mine", mine), (RUNTIMES, "absent", absent)):
        assert not available("absent")
        assert open_interpreter("mine", path).inputs == open_interpreter("tflm", path).inputs
        assert runtime_name("mine") == "My runtime"


FORMAT_OF_MINE = """
from kd_edge.convert import routes

def keep_weights(converter, calibration):
    routes.float32(converter, calibration)

def rename_output(model):
    (index,) = model.subgraphs[0].outputs
    model.subgraphs[0].tensors[int(index)].name = "mine"
"""


def test_a_format(tmp_path, converter, monkeypatch):
    """Its functions lie in the working folder, where the process that converts does not look."""
    (tmp_path / "format_of_mine.py").write_text(FORMAT_OF_MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    import format_of_mine as own

    fine = Format("fine", 24, 32, integer=False)
    with (
        added((MODELS, "flat", flat)),
        added(
            (FORMATS, "fine", fine),
            (ROUTES, "fine", Route(own.keep_weights, edit=own.rename_output)),
        ),
    ):
        build_flat().save(tmp_path / "m.keras")
        made = to_tflite(
            tmp_path / "m.keras",
            tmp_path / fine.file("m"),
            fmt="fine",
            input_order=("a",),
            calibration=None,
        )
        assert made.path.name == "m.fine.tflite"
        assert made.runtimes == ("litert", "tflite-runtime")  # by its facts, as float16
        session = open_interpreter("litert", made.path)
        assert session.outputs[0].name == "mine"
        assert forms_by_choice().index("fine") == forms_by_choice().index("float32") - 1


def test_a_route_that_another_process_cannot_import_is_refused():
    with pytest.raises(KdEdgeError) as caught:
        routes.as_json(Route(lambda converter, calibration: None))
    assert caught.value.code == "KD_USAGE"


def test_a_route_whose_function_has_gone_is_refused(tmp_path):
    """Not as a fault of the model."""
    gone = {"module": "nowhere_at_all", "name": "f", "folder": str(tmp_path)}
    with pytest.raises(KdEdgeError, match="nowhere_at_all") as caught:
        routes.from_json({"settings": gone, "edit": None, "with_lstm": None})
    sys.path.remove(str(tmp_path))
    assert caught.value.code == "KD_USAGE"


# --- operator, kernel, core, boards ---
