"""What a build says before and beside its work: too few windows, refused formats, folder names."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from build_samples import RECIPE

from kd_edge.errors import KdEdgeError
from kd_edge.pipeline import converting
from kd_edge.pipeline.gates import too_few_for_agreement
from kd_edge.pipeline.peers import folder_name
from kd_edge.pipeline.stages import Stages
from kd_edge.pipeline.training import Trained
from kd_edge.recipe import Proof, parse_recipe
from kd_edge.report.tree import Curve


@pytest.mark.parametrize(
    ("windows", "agreement", "in_dataset", "words"),
    [
        (256, 0.99, 1000, None),
        (100, 0.99, 1000, None),
        (99, 0.99, 1000, "100 or more"),
        (256, 0.99, 40, "40 windows"),
        (32, 0.5, 1000, None),
        (10, 1.0, 1000, None),
    ],
)
def test_parity_windows_too_few_for_one_to_differ_are_said(windows, agreement, in_dataset, words):
    """Oracle: one of n windows is 1/n, which 1 - min_agreement must reach; 1.0 lets none differ."""
    proof = Proof(parity_windows=windows, min_agreement=agreement)
    found = too_few_for_agreement(proof, in_dataset)
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

    monkeypatch.setattr("kd_edge.convert.tflite.convert", refuse)
    model = Trained("s", "student", "tcn", "s.keras", "0" * 64, ("x",), 1, Curve("s", *[()] * 5))
    for _ in range(2):
        context = SimpleNamespace(
            recipe=parse_recipe(RECIPE),
            data=SimpleNamespace(key="k"),
            stages=Stages(tmp_path),
            out=tmp_path,
        )
        monkeypatch.setattr(converting, "_calibration", lambda context: {"x": None})
        answer = converting._Converter(context).convert(model, "int16x8")
        assert answer == "no such operator in 16 bits"
    assert calls == ["int16x8"]
