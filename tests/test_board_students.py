"""The students of the recipes on every emulated core. Oracle: the TFLite Micro interpreter.

Their bits are what counts here, not their accuracy: each is trained for a moment only, on windows
of its own recipe (the seeds' are synthetic, from few repetitions).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from eager import without_graphs
from emulated import HOLDING

from firmware_export.boards import BOARDS
from firmware_export.boards.emulator import start
from firmware_export.front_end import model_front_end
from kd_edge.base.errors import ExitStatus
from kd_edge.cli import run
from kd_edge.examples.raw import quantised_window
from kd_edge.link.channel import Patience
from kd_edge.link.device import Device
from kd_edge.pipeline.boards.bundle_image import bundle_image, load_board_bundle
from kd_edge.recipe import load_recipe, to_toml
from kd_edge.runtimes.composed import open_product

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
BOARDS_OF_QEMU = [each for each in HOLDING if BOARDS[each.values[0]].emulator]
# Most golden vectors stand in the image. The others go over the wire, and one once more as raw
# samples, another one on each board: an emulated port takes most of the time, a byte after the
# other, and the cores differ in their code, not in the port.
N_GOLDEN, N_OVER_WIRE = 32, 2


def shortened(name: str):
    """A recipe with its first student alone, trained for one epoch without a teacher."""
    recipe = load_recipe(RECIPES / f"{name}.toml")
    student = recipe.students[0].model_copy(
        update={"epochs": 1, "batch_size": 64, "patience": None, "distill": False, "teachers": None}
    )
    conversion = recipe.conversion.model_copy(
        update={
            "teacher_formats": (),
            "formats": ("float32", "int8"),
            "max_drop_points": 100.0,
            "calibration_windows": 32,
        }
    )
    proof = recipe.proof.model_copy(
        update={"baselines": (), "latency_runs": 20, "parity_windows": 8, "min_agreement": 0.01}
    )
    changes = {
        # The test part that has windows enough for the golden vectors.
        "split": replace(recipe.split, test=recipe.split.test[-1:]),
        "teachers": (),
        "students": (student,),
        "distillation": None,
        "augmentation": None,
        "conversion": conversion,
        "proof": proof,
        "firmware": recipe.firmware.model_copy(update={"golden_vectors": N_GOLDEN}),
    }
    if recipe.dataset.reader == "synthetic":
        options = {**recipe.dataset.options, "n_repetitions": 1}
        changes["dataset"] = recipe.dataset.model_copy(update={"options": options})
    return recipe.model_copy(update=changes)


def built(name: str, folder: Path, data: Path | None):
    recipe = folder / "recipe.toml"
    recipe.write_text(to_toml(shortened(name)), encoding="utf-8")
    arguments = ["build", str(recipe), "--out", str(folder / "bundle")]
    with without_graphs():
        status = run([*arguments, *(["--data", str(data)] if data else [])])
    # A moment's training need not reach a gate, and the bundle is there all the same.
    assert status in (ExitStatus.OK, ExitStatus.GATE)
    return load_board_bundle(folder / "bundle")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, converter):
    """Recipe name -> its bundle, built once when it is first asked for."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))

        def get(name: str, data: Path | None = None):
            if name not in made:
                made[name] = built(name, tmp_path_factory.mktemp(name), data)
            return made[name]

        yield get


def check_on_board(bundle, board_name: str, folder: Path) -> None:
    """Golden vectors in the image, int8 and raw windows over the wire.

    Ticks are held where instructions are counted (`test_firmware_app`): here they are what a busy
    emulator makes of them.
    """
    board = BOARDS[board_name]
    golden = bundle.golden
    assert N_GOLDEN >= len(golden.labels) >= 26  # a recipe's test part may have no more windows
    in_image = len(golden.labels) - N_OVER_WIRE
    image = bundle_image(bundle, board, folder, golden_count=in_image)
    session = open_product(bundle.product, "tflm")
    front_end = model_front_end(bundle.front_end, session.inputs)
    with (
        start(board, image.elf) as emulator,
        Device.open(
            emulator.url, model_sha256=bundle.model_sha256, patience=Patience(timeout=10.0)
        ) as device,
    ):
        tested = device.selftest()
        assert len(tested.vectors) == in_image
        assert tested.failures == ()
        assert len(np.unique(golden.outputs)) > 50  # bits that tell something
        rest = range(in_image, len(golden.labels))
        int8 = [tuple(a[i : i + 1] for a in golden.inputs) for i in rest]
        for i, answer in zip(rest, device.run_many(int8), strict=True):
            np.testing.assert_array_equal(answer.scores, golden.outputs[i].reshape(-1))
        names = [stream.name for stream in device.hello.streams]
        window = bundle.raw[list(BOARDS).index(board_name)]
        answer = device.run([window[name] for name in names], kind="raw")
        inputs = quantised_window(window, front_end, session.inputs)
        shaped = [a.reshape(s.shape) for a, s in zip(inputs, session.inputs, strict=True)]
        np.testing.assert_array_equal(answer.scores, session.run(shaped)[0].reshape(-1))


@pytest.mark.parametrize("board", BOARDS_OF_QEMU)
def test_the_isl_student_answers_bit_for_bit(bundles, board, shared_data, tmp_path):
    bundle = bundles("isl-alphabet", shared_data("isl_alphabet_myo"))
    check_on_board(bundle, board, tmp_path)


@pytest.mark.parametrize("kind", ["int8", "raw"])
def test_recordings_are_sent_to_a_board(bundles, kind, shared_data, tmp_path, capsys):
    data = shared_data("isl_alphabet_myo")
    folder = bundles("isl-alphabet", data).folder
    arguments = ["--board", "host", "--data", str(data), "--windows", kind, "--limit", "6"]
    capsys.readouterr()
    status = run(["eval", str(folder), *arguments, "--out", str(tmp_path), "--json"])
    assert status == ExitStatus.OK
    (section,) = json.loads(capsys.readouterr().out)["boards"]
    assert list(section["accuracy"]) == [f"other data: {data.name}"]
    oracle = next(a for a in section["agreement"] if a["runtime"] == "tflm")
    assert oracle["same_scores"] == section["n_answered"] == 6


@pytest.mark.parametrize("board", BOARDS_OF_QEMU)
@pytest.mark.parametrize("recipe", ["seed-single", "seed-multi-expert"])
def test_a_seed_student_answers_bit_for_bit(bundles, recipe, board, tmp_path):
    check_on_board(bundles(recipe), board, tmp_path)
