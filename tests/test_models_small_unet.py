"""U-Nets for microcontrollers: what they cost, what is refused, and their C beside TFLite Micro."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from aot_harness import check_exact  # noqa: E402

from kd_edge.base.errors import KdEdgeError  # noqa: E402
from kd_edge.convert.tflite import to_tflite  # noqa: E402
from kd_edge.measure.arena import measure_arena  # noqa: E402
from kd_edge.models import build_model  # noqa: E402

STREETS = {"image": (96, 128, 3)}


BOTH = pytest.mark.parametrize("name", ["small-unet", "lite0-unet"])


def build(name, shapes=STREETS, **options):
    return build_model(name, input_shapes=shapes, n_classes=11, seed=1, options=options)


@pytest.mark.parametrize(("name", "times_fewer"), [("small-unet", 10), ("lite0-unet", 6)])
def test_it_answers_every_pixel_with_far_fewer_weights_than_a_unet(name, times_fewer):
    """Oracle: the shape of the image; the other model's count."""
    model = build(name)
    assert model.output_shape == (None, 96, 128, 11)
    assert model.layers[-1].name == "logits"
    wide = {"width": 16, "depth": 3}
    plain = build_model("unet", input_shapes=STREETS, n_classes=11, seed=1, options=wide)
    assert model.count_params() < plain.count_params() / times_fewer


@pytest.mark.parametrize(
    ("shapes", "name", "options"),
    [
        *(({"image": (96, 120, 3)}, name, {}) for name in ("small-unet", "lite0-unet")),
        *(({"image": (32, 2)}, name, {}) for name in ("small-unet", "lite0-unet")),
        ({"image": (96, 128, 3), "other": (96, 128, 3)}, "small-unet", {}),
        (STREETS, "small-unet", {"depth": 4}),
        (STREETS, "lite0-unet", {"blocks": 12}),
    ],
)
def test_images_that_it_cannot_halve_are_refused(shapes, name, options):
    """Oracle: the error's code."""
    with pytest.raises(KdEdgeError) as caught:
        build(name, shapes, **options)
    assert caught.value.code == "KD_SHAPE"


def written(name, folder, shape, converter):
    """An int8 form with random weights, calibrated on noise."""
    assert converter
    model = build(name, {"image": shape})
    model.save(folder / "m.keras")
    noise = np.random.default_rng(3).normal(size=(4, *shape)).astype("f4")
    path = folder / "m.int8.tflite"
    to_tflite(
        folder / "m.keras", path, fmt="int8", input_order=("image",), calibration={"image": noise}
    )
    return path


@BOTH
def test_streets_fit_into_60_kb_and_an_arena_of_160_kb(name, tmp_path, converter):
    """Oracle: the file's length, and TFLite Micro's own count of its arena."""
    path = written(name, tmp_path, STREETS["image"], converter)
    assert path.stat().st_size <= 60_000
    assert measure_arena(path).smallest_bytes <= 160_000
    (host,) = check_exact([path.read_bytes()], n_windows=4)
    assert host.schedule.plan.arena_bytes <= 160_000


@pytest.mark.qemu
@pytest.mark.parametrize("core", ["m7", "m55"])
@pytest.mark.parametrize(
    ("name", "shape", "n_windows"),
    [("small-unet", (32, 48, 3), 4), ("lite0-unet", STREETS["image"], 2)],
)
def test_emulated_cores_answer_every_pixel_as_tflite_micro(
    name, shape, n_windows, tmp_path, converter, core
):
    """Oracle: TFLite Micro's int8 scores, bit for bit; one of the two in its full size."""
    path = written(name, tmp_path, shape, converter)
    check_exact([path.read_bytes()], core=core, n_windows=n_windows)
