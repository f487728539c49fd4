"""The students of the recipes on every emulated core. Oracle: the TFLite Micro interpreter.

Their bits are what counts here, not their accuracy: see `student_bundles`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from emulated import HOLDING
from student_bundles import N_GOLDEN, student_bundles

from firmware_export.boards import BOARDS
from firmware_export.boards.emulator import start
from firmware_export.front_end import model_front_end
from kd_edge.base.errors import ExitStatus
from kd_edge.cli import run
from kd_edge.examples.raw import quantised_window
from kd_edge.link.channel import Patience
from kd_edge.link.device import Device
from kd_edge.pipeline.boards.bundle_image import bundle_image
from kd_edge.runtimes.composed import open_product

BOARDS_OF_QEMU = [each for each in HOLDING if BOARDS[each.values[0]].emulator]
# Most golden vectors stand in the image. The others go over the wire, and one once more as raw
# samples, another one on each board: an emulated port takes most of the time, a byte after the
# other, and the cores differ in their code, not in the port.
N_OVER_WIRE = 2


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, converter):
    """Recipe name -> its bundle, built once when it is first asked for."""
    yield from student_bundles(tmp_path_factory)


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
