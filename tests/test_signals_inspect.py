"""Inspection: the figures of small folders, as JSON and as a picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from waiting import BOUND_S

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import read
from kd_edge.signals.inspect import inspect, inspect_recordings, plot, to_json


@pytest.fixture
def folder(tmp_path) -> Path:
    """Four labelled recordings: two are the same, one has a gap."""
    for name, seed in (("a", 0), ("b", 1), ("c", 0)):
        rng = np.random.default_rng(seed)
        np.savez(
            tmp_path / f"{name}.npz",
            emg=rng.normal(size=(100, 2)),
            acc=rng.normal(size=(10, 3)),
            **{"emg.rate_hz": 100.0, "emg.unit": "$mV", "acc.rate_hz": 10.0, "acc.sensor": "wrist"},
        )
    times = np.arange(20) / 10
    times[10:] += 1.0
    rows = "".join(f"{t:.2f},{i % 7}\n" for i, t in enumerate(times))
    (tmp_path / "d.csv").write_text("time,emg\n" + rows)
    (tmp_path / "labels.csv").write_text(
        "file,label,subject,session,trial\n"
        "a.npz,house,S1,am,0\nb.npz,house,S1,pm,0\nc.npz,tree,S2,am,0\nd.csv,tree,S2,am,1\n"
    )
    return tmp_path


def test_an_inspection_counts_what_is_there(folder):
    """Oracle: the fixture."""
    found = inspect(folder)
    assert found.recordings == 4
    assert found.sensors == 2
    assert found.signals == 6
    assert [(c.name, c.recordings) for c in found.classes] == [("house", 2), ("tree", 2)]
    assert [(c.name, c.recordings) for c in found.subjects] == [("S1", 2), ("S2", 2)]
    assert [(c.name, c.recordings) for c in found.sessions] == [("am", 3), ("pm", 1)]
    kinds = {(s.modality, s.rate_hz, s.recordings) for s in found.streams}
    assert {("emg", 100.0, 3), ("acc", 10.0, 3)} <= kinds
    assert found.duplicates == (("a.npz", "c.npz"),)
    assert not found.synthetic
    (gap,) = found.gaps
    assert gap.recording == "d.csv"
    assert gap.start_s == pytest.approx(0.9)
    assert gap.length_s == pytest.approx(1.0, abs=0.01)
    assert found.seconds.smallest == 1.0


def test_an_inspection_tells_every_reason_why_a_build_would_stop(folder):
    """Oracle: a gap, two rates of emg, and one recording under two labels."""
    codes = [problem.code for problem in inspect(folder).problems]
    assert codes == ["KD_BAD_SAMPLES", "KD_RATE_MISMATCH", "KD_DUPLICATES"]


def test_an_inspection_is_json(folder):
    """Oracle: json.loads, and the count in it."""
    parsed = json.loads(to_json(inspect(folder)))
    assert parsed["recordings"] == 4
    assert parsed["duplicates"] == [["a.npz", "c.npz"]]


def test_a_genuine_export_is_inspected_as_documented(shared_data):
    """Oracle: 18 sensors and 111 signals over 6 s, in the data's README."""
    path = shared_data("delsys_exports") / "taichi_trial5_6s.csv.gz"
    found = inspect(path)
    assert (found.sensors, found.signals) == (18, 111)
    assert found.seconds.median == pytest.approx(6.0, abs=0.01)
    assert found.problems == ()
    assert {s.unit for s in found.streams} == {"mV", "G", "deg/s", "V", "%"}


def test_clipped_samples_are_told_as_a_fraction(tmp_path):
    """Oracle: a sine cut at its half height: two thirds of all samples lie on the ends."""
    samples = np.clip(np.sin(np.arange(3000) / 7), -0.5, 0.5)
    np.savez(tmp_path / "f.npz", emg=samples, **{"emg.rate_hz": 100.0})
    (stream,) = inspect(tmp_path / "f.npz").streams
    assert (stream.low, stream.high) == (-0.5, 0.5)
    assert stream.clipped == pytest.approx(2 / 3, abs=0.02)
    samples = np.random.default_rng(0).normal(size=3000)
    np.savez(tmp_path / "f.npz", emg=samples, **{"emg.rate_hz": 100.0})
    assert inspect(tmp_path / "f.npz").streams[0].clipped is None


def test_a_picture_is_a_png_and_replaces_the_old_one_whole(folder, tmp_path):
    """Oracle: the PNG signature; nothing else is left in the folder."""
    out = tmp_path / "out" / "picture.png"
    plot(read(folder), out)
    plot(read(folder), out)
    assert out.read_bytes().startswith(b"\x89PNG\r\n")
    assert [p.name for p in out.parent.iterdir()] == ["picture.png"]


@pytest.mark.parametrize("name", ["\x1b[31m", "a\nb", "$\\frac$", "\u202e", "手"])
def test_a_picture_shows_any_name(tmp_path, name):
    """Oracle: warnings are errors here, and Matplotlib warns of what it cannot draw."""
    samples = np.random.default_rng(0).normal(size=(90, 1))
    facts = {"s.rate_hz": 100.0, "s.sensor": name, "s.unit": name, "s.modality": name}
    np.savez(tmp_path / "a.npz", s=samples, label=name, **facts)
    plot(read(tmp_path / "a.npz"), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_written_is_said_so(folder):
    """Oracle: a file stands where the folder should be."""
    with pytest.raises(KdEdgeError) as caught:
        plot(read(folder), folder / "labels.csv" / "picture.png")
    assert caught.value.code == "KD_OUTPUT"


def test_no_recordings_make_an_empty_inspection():
    """Oracle: zero of everything, and the problem said."""
    found = inspect_recordings([], None)
    assert found.recordings == 0
    assert found.problems[0].code == "KD_EMPTY_FOLDER"
    json.loads(to_json(found))


def test_a_picture_is_the_same_whatever_matplotlibrc_lies_in_the_working_folder(tmp_path):
    """Oracle: a fresh process without such a file; with it, LaTeX would run over a file's names."""
    import subprocess
    import sys

    (tmp_path / "a.csv").write_text("# rate_hz = 100\nemg_1 (mV)\n0.5\n0.25\n")
    pictures = {}
    for name, settings in (("plain", None), ("odd", b"text.usetex: True\n"), ("bytes", b"\xff")):
        folder = tmp_path / name
        folder.mkdir()
        if settings:
            (folder / "matplotlibrc").write_bytes(settings)
        code = "import sys; from kd_edge.cli import main; main(sys.argv[1:])"
        arguments = ["data", "inspect", str(tmp_path / "a.csv"), "--plot", "p.png"]
        command = [sys.executable, "-P", "-W", "error", "-c", code, *arguments]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=BOUND_S
        )
        assert done.returncode == 0, done.stderr
        pictures[name] = (folder / "p.png").read_bytes()
    assert len(set(pictures.values())) == 1
