"""What a build says before and beside its work: too few windows, refused formats, folder names."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from build_samples import RECIPE

from kd_edge.base.errors import KdEdgeError
from kd_edge.pipeline import converting
from kd_edge.pipeline.gates import blind_spot
from kd_edge.pipeline.peers import folder_name
from kd_edge.pipeline.stages import Stages
from kd_edge.pipeline.training import Trained
from kd_edge.recipe import Proof, parse_recipe
from kd_edge.report.tree import Curve


@pytest.mark.parametrize(
    ("windows", "agreement", "in_dataset", "words"),
    [
        (256, 0.99, 1000, None),
        (256, 0.99, 40, "from 3 that differ on"),
        (32, 0.99, 1000, "32 windows"),
        (32, 0.5, 1000, "from 23 that differ on"),
        (10, 1.0, 1000, None),
    ],
)
def test_parity_windows_too_few_to_see_a_loss_are_said(windows, agreement, in_dataset, words):
    """Oracle: Clopper and Pearson's interval of 38 of 40 ends at 99.4 %, of 37 of 40 at 98.4 %;
    of 10 of 32 at 50.008 %, of 9 of 32 at 46.7 %. With 1.0 a single window fails."""
    proof = Proof(parity_windows=windows, min_agreement=agreement)
    found = blind_spot(proof, in_dataset)
    assert found is None if words is None else words in found


def test_the_folder_of_a_fold_has_the_held_out_name():
    assert folder_name("S2") == "S2"
    names = {folder_name(name) for name in ("day 1", "day/1", "../S1", "", "day_1")}
    assert len(names) == 5
    assert all(name and not set(name) & set("/. ") for name in names)


def test_a_refused_format_is_not_converted_again(tmp_path, monkeypatch):
    """Oracle: the converter is called once for two builds."""
    calls = []

    def refuse(*arguments, **settings):
        calls.append(settings["fmt"])
        raise KdEdgeError("KD_CONVERTER_REFUSED", "no such operator in 16 bits")

    monkeypatch.setattr("kd_edge.convert.tflite.to_tflite", refuse)
    model = Trained("s", "student", "tcn", "s.keras", "0" * 64, ("x",), 1, Curve("s", *[()] * 5))
    for _ in range(2):
        context = SimpleNamespace(
            recipe=parse_recipe(RECIPE),
            data=SimpleNamespace(key="k", training=None),
            stages=Stages(tmp_path),
            out=tmp_path,
        )
        monkeypatch.setattr(converting, "calibration_of", lambda recipe, training: {"x": None})
        answer = converting.Converter(context).convert(model, "int16x8")
        assert answer == "no such operator in 16 bits"
    assert calls == ["int16x8"]
