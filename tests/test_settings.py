"""Settings check their values, made by hand or by a recipe. Oracle: the ranges that they state."""

from __future__ import annotations

import dataclasses

import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.examples import Windowing
from kd_edge.frontend import StreamFrontEnd
from kd_edge.splits import HoldOut, Split

RANDOM = HoldOut(kind="random", fraction=0.2)


def test_settings_are_frozen_dataclasses_that_change_by_replace():
    settings = StreamFrontEnd(notch_hz=(50,), rate_hz=100)
    assert dataclasses.asdict(settings) | {"rate_hz": 100.0, "notch_hz": (50.0,)} == (
        dataclasses.asdict(settings)
    )
    assert dataclasses.replace(settings, order=2).order == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.order = 2


@pytest.mark.parametrize(
    ("make", "code", "said"),
    [
        (lambda: StreamFrontEnd(ordr=2), "KD_RECIPE_KEY", "did you mean 'order'"),
        (lambda: StreamFrontEnd(order=9), "KD_RECIPE_VALUE", "'order' of StreamFrontEnd is 9"),
        (lambda: StreamFrontEnd(rate_hz=float("inf")), "KD_RECIPE_VALUE", "finite"),
        (lambda: StreamFrontEnd(band_pass_hz=(90, 20)), "KD_RECIPE_VALUE", "low < high"),
        (lambda: HoldOut(kind="random"), "KD_RECIPE_VALUE", "takes fraction, not nothing"),
        (lambda: HoldOut(fraction=0.2), "KD_RECIPE_VALUE", "'kind' of HoldOut is missing"),
        (lambda: HoldOut(kind="random", fraction=1), "KD_RECIPE_VALUE", "less than 1"),
        (lambda: Split(test=(), validation=RANDOM), "KD_RECIPE_VALUE", "at least 1"),
        (lambda: Split(test=(RANDOM, RANDOM), validation=RANDOM), "KD_RECIPE_VALUE", "different"),
        (lambda: Windowing(length_s=1), "KD_RECIPE_VALUE", "'inputs' of Windowing is missing"),
        (lambda: Windowing(length_s=1, inputs={"a b": ("x",)}), "KD_RECIPE_VALUE", "pattern"),
        (lambda: dataclasses.replace(RANDOM, fraction=2), "KD_RECIPE_VALUE", "less than 1"),
    ],
)
def test_a_mistake_names_the_setting_and_what_it_may_be(make, code, said):
    with pytest.raises(KdEdgeError) as error:
        make()
    assert error.value.code == code
    assert said in str(error.value)
