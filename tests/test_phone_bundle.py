"""What of a bundle a phone can run. Oracles: sums by hand, and the errors that are promised."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bundle_samples import sample_bundle
from project_samples import sample_front_end

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import FrontEndConstants
from kd_edge.frontend import StreamFrontEnd, design_stream
from kd_edge.phone.motion import motion_of, with_counts
from kd_edge.pipeline.boards.bundle_image import load_board_bundle
from kd_edge.pipeline.boards.phone import phone_front_end


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return load_board_bundle(sample_bundle(tmp_path_factory.mktemp("made") / "bundle"))


def changed(bundle, **streams):
    """The bundle with other facts in each stream of its front end."""
    front_end = bundle.manifest.front_end
    others = tuple(replace(stream, **streams) for stream in front_end.streams)
    manifest = replace(bundle.manifest, front_end=replace(front_end, streams=others))
    return replace(bundle, manifest=manifest)


def watch(acc_unit: str = "g", gyr_unit: str = "rad/s", lsb: float | None = None):
    streams = tuple(
        design_stream(
            name, StreamFrontEnd(), channels=("x", "y", "z"), source_rate_hz=50.0, unit=unit,
            lsb=lsb,
        )
        for name, unit in (("acc", acc_unit), ("gyr", gyr_unit))
    )  # fmt: skip
    return FrontEndConstants(streams, ())


def test_a_front_end_that_looks_ahead_is_refused(bundle):
    with pytest.raises(KdEdgeError) as caught:
        phone_front_end(changed(bundle, causal=False))
    assert caught.value.code == "KD_NOT_CAUSAL"
    assert "no plain C" in caught.value.message


def test_answers_that_are_no_classes_are_refused(bundle):
    manifest = replace(bundle.manifest, class_names=("a", "b"))
    with pytest.raises(KdEdgeError) as caught:
        phone_front_end(replace(bundle, manifest=manifest))
    assert caught.value.code == "KD_USAGE"
    assert "5 scores for 2 classes" in caught.value.message


def test_sensors_whose_counts_nobody_knows_leave_golden_windows_alone(bundle):
    assert phone_front_end(changed(bundle, lsb=None)) is None
    assert phone_front_end(bundle) == bundle.manifest.front_end


def test_motion_sensors_without_counts_get_those_of_their_usual_range():
    acc, gyr = with_counts(watch()).streams
    assert acc.lsb * 32768 == pytest.approx(8.0)  # g
    assert gyr.lsb * 32768 == pytest.approx(34.906585)  # 2000 degrees a second in rad/s
    assert [s.lsb for s in with_counts(watch(lsb=0.5)).streams] == [0.5, 0.5]


def test_a_phones_units_become_the_streams():
    """One g is 9.80665 m/s²; a radian 57.3 degrees."""
    found = motion_of(watch())
    assert found["why"] is None
    assert [s["kind"] for s in found["streams"]] == ["acc", "gyr"]
    assert found["streams"][0]["factor"] * 9.80665 == pytest.approx(1)
    assert found["streams"][1]["factor"] * 57.29577951 == pytest.approx(1)


@pytest.mark.parametrize(
    ("front_end", "said"),
    [
        (sample_front_end(), "also needs 'emg' (3 channels"),
        (watch(acc_unit="furlong"), "also needs 'acc' (3 channels, furlong)"),
        (None, "takes no samples"),
    ],
)
def test_what_a_phone_lacks_is_said_in_words(front_end, said):
    assert said in motion_of(front_end)["why"]
