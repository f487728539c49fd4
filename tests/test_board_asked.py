"""Boards whose inputs, scores or sensors are not the bundle's are asked for nothing."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from lying_board import LyingBoard
from test_firmware_large import one_sensor, wide_model

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.link.device import Device
from kd_edge.link.messages import BoardStream, Tensor
from kd_edge.pipeline.boards.asked import check_board
from kd_edge.runtimes.registry import open_interpreter

INPUT = Tensor("t0_0", 0.03, 4, (1, 20, 1))
OUTPUT = Tensor("t1_0", 0.7, -3, (1, 7))
SENSOR = BoardStream("emg", 1, 100.0, 20)


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "wide.tflite"
    return open_interpreter("tflm", wide_model(path, n_scores=7))


@pytest.fixture(scope="module")
def hello():
    """Of a board that runs the model."""
    return replace(
        Device(LyingBoard()).hello, inputs=(INPUT,), outputs=(OUTPUT,), streams=(SENSOR,)
    )


BUNDLE = SimpleNamespace(manifest=SimpleNamespace(front_end=one_sensor(), decision=None))


def test_the_bundles_own_board_is_asked(interpreter, hello):
    check_board(BUNDLE, interpreter, hello, raw=True)
    check_board(BUNDLE, interpreter, replace(hello, streams=()), raw=False)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"inputs": (replace(INPUT, shape=(1, 21, 1)),)}, "inputs"),
        ({"inputs": (INPUT, INPUT)}, "inputs"),
        ({"outputs": (replace(OUTPUT, shape=(1, 6)),)}, "outputs"),
        ({"decides": True}, "decisions"),
        ({"streams": (replace(SENSOR, name="no such sensor"),)}, "sensors"),
        ({"streams": (replace(SENSOR, samples=19),)}, "sensors"),
        ({"streams": (SENSOR, replace(SENSOR, name="acc"))}, "sensors"),
    ],
)
def test_another_board_is_refused_though_it_names_the_bundles_model(
    interpreter, hello, change, what
):
    with pytest.raises(KdEdgeError, match=what) as caught:
        check_board(BUNDLE, interpreter, replace(hello, **change), raw=True)
    assert caught.value.code == "KD_BOARD_MODEL"
    assert caught.value.exit_status == ExitStatus.BOARD
