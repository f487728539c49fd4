"""Sensors in a wrong order. Oracle: the order and settings that the test changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import StreamConstants
from kd_edge.cli import run
from kd_edge.frontend import StreamFrontEnd, design_stream
from kd_edge.live import prompted
from kd_edge.live.joining import Joining
from kd_edge.live.order import order_faults
from kd_edge.live.sources.source import SourceFacts, SourceStream

NAMES = ("left", "middle", "right")
REFERENCE = (
    *(SourceStream("emg", name, (f"{name}: EMG",), 1259.26, "mV") for name in NAMES),
    SourceStream("acc", "left", ("X", "Y", "Z"), 148.15, "g"),
)
LEFT, MIDDLE, RIGHT, ACC = REFERENCE


def told(*given: SourceStream) -> list[tuple[str, str]]:
    return [(fault.channel, fault.what) for fault in order_faults(given, REFERENCE)]


def test_the_sensors_of_the_reference_are_right_however_they_are_grouped():
    assert told(*REFERENCE) == []
    joined = SourceStream("emg", "", tuple(f"{n}: EMG" for n in NAMES), 1259.26, "mV")
    assert told(ACC, joined) == []
    assert order_faults(REFERENCE, ()) == ()


def test_swapped_sensors_are_named_with_their_right_order():
    (fault,) = order_faults((MIDDLE, LEFT, RIGHT, ACC), REFERENCE)
    assert (fault.kind, fault.channel) == ("order", "middle: EMG")
    assert fault.what == "it stands in the place of left: EMG"
    assert "left: EMG, middle: EMG, right: EMG" in fault.hint


def test_what_is_missing_added_or_set_otherwise_is_told_of_its_channel():
    other = replace(RIGHT, channels=("wrist: EMG",))
    assert told(LEFT, MIDDLE, other, ACC) == [
        ("right: EMG", "it is not there, and the reference has it"),
        ("wrist: EMG", "the reference does not have it"),
    ]
    assert told(LEFT, MIDDLE, RIGHT) == [
        ("acc", "it is not there; the reference has X, Y, Z")
    ]  # fmt: skip
    gyr = replace(ACC, modality="gyr")
    assert told(*REFERENCE, gyr) == [("gyr", "the reference has no such sensor")]
    assert told(LEFT, replace(MIDDLE, rate_hz=2148.15), RIGHT, ACC) == [
        ("middle: EMG", "it has 2148.15 Hz, and the reference 1259.26 Hz")
    ]
    assert told(*REFERENCE[:3], replace(ACC, unit="m/s²")) == [
        ("X", "it is in m/s², and the reference in g")
    ]


def bundle_takes(*names: str) -> StreamConstants:
    return design_stream(
        "emg", StreamFrontEnd(), channels=names, source_rate_hz=1259.26, unit="mV", lsb=1.0
    )


def test_a_bundles_channels_in_another_order_are_taken_by_name_and_that_is_said():
    facts = SourceFacts("a source", (MIDDLE, LEFT, RIGHT, ACC))
    (note,) = Joining(facts, [bundle_takes(*(f"{n}: EMG" for n in NAMES))]).notes
    assert "'middle: EMG' in the place of 'left: EMG'" in note
    assert Joining(facts, [bundle_takes("middle: EMG", "right: EMG")]).notes == []


def test_channels_are_not_taken_in_order_if_a_name_stands_elsewhere():
    facts = SourceFacts("a source", (RIGHT, MIDDLE, LEFT))
    with pytest.raises(KdEdgeError) as caught:
        Joining(facts, [bundle_takes("elbow: EMG", "left: EMG", "right: EMG")], in_order=True)
    assert caught.value.code == "KD_CHANNEL_MISSING"
    assert "'right: EMG' would be taken as 'elbow: EMG'" in str(caught.value)


def saved(path, names) -> str:
    x = np.random.default_rng(3).normal(size=(20_000, len(names))).astype(np.float32)
    np.savez(path, **{"emg": x, "emg.rate_hz": 2000.0, "emg.channels": names})
    return f"file://{path}"


def test_record_refuses_a_wrong_order_before_anything_is_kept(tmp_path, capsys, monkeypatch):
    """Against the folder's last recording, and against --like; --anyway records all the same."""
    monkeypatch.setattr(prompted, "GRACE_S", 60.0)  # a loaded machine may stand still
    right, wrong = saved(tmp_path / "r.npz", NAMES), saved(tmp_path / "w.npz", NAMES[::-1])
    (tmp_path / "signs.txt").write_text("house\n", encoding="utf-8")
    fast = ["--ready", "0", "--seconds", "0.3", "--rest", "0", "--repetitions", "1"]

    def record(source, out, session, *more) -> int:
        return run([
            "record", "--source", f"{source}?speed=0", "--prompts", str(tmp_path / "signs.txt"),
            "--subject", "S1", "--out", str(tmp_path / out), "--session", session, *fast, *more,
        ])  # fmt: skip

    assert record(right, "out", "1") == 0
    capsys.readouterr()
    assert record(wrong, "out", "2") == 3
    assert "right: it stands in the place of left" in capsys.readouterr().err
    like = ["--like", str(tmp_path / "r.npz")]
    assert record(wrong, "new", "1", *like) == 3
    assert not list(tmp_path.glob("new/*.npz"))
    assert record(right, "same", "1", *like) == 0
    assert record(wrong, "new", "1", *like, "--anyway") == 0
    assert len(list(tmp_path.glob("new/*.npz"))) == 1
