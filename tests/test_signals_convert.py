"""`kd-edge data convert`: what a reader gives, written and read again, is the same.

Oracles: the recording itself, and pyxdf.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from format_samples import assert_same, recording

from kd_edge.base.errors import KdEdgeError
from kd_edge.cli import run
from kd_edge.signals import read
from kd_edge.signals.convert import WRITERS, file_names, write_folder
from kd_edge.signals.xdf_writer import write_xdf


@pytest.mark.parametrize("form", WRITERS)
def test_a_folder_in_any_format_reads_back_with_its_labels(form, tmp_path):
    made = [recording(), replace(recording(), label="tree", trial=5)]
    done = write_folder(made, tmp_path / "out", WRITERS[form])
    assert (done.recordings, done.labelled) == (2, 2)
    again = read(tmp_path / "out")
    assert [(r.label, r.subject, r.session, r.trial) for r in again] == [
        ("house", "S1", "day 1", 2),
        ("tree", "S1", "day 1", 5),
    ]
    for before, after in zip(made, again, strict=True):
        assert_same(before, after, decimals=7 if form == "discover-csv" else None)


@pytest.mark.parametrize("form", ["npz", "xdf"])
def test_late_starts_and_uneven_times_are_kept(form, tmp_path):
    times_s = np.concatenate([np.arange(20), np.arange(35, 55)]) / 10  # 1.5 s are missing
    first = recording()
    late = replace(first.streams[1], start_s=0.25)
    gap = replace(
        first.streams[1],
        modality="gyr",
        channels=("a", "b", "c"),
        samples=first.streams[1].samples[:40],
        rate_hz=10.0,
        times_s=times_s,
    )
    made = replace(first, streams=(first.streams[0], late, gap))
    path = tmp_path / f"f.{form}"
    WRITERS[form].write(made, path)
    (again,) = read(path)
    assert again.streams[1].start_s == pytest.approx(0.25, abs=1e-9)
    np.testing.assert_allclose(again.streams[2].times_s, times_s, atol=1e-9)


def test_volts_become_millivolts_in_discover_files(tmp_path):
    """Oracle: seven decimals of a volt would leave no digit of a microvolt."""
    volts = recording()
    small = replace(volts.streams[0], unit="V", samples=volts.streams[0].samples * 1e-6)
    WRITERS["discover-csv"].write(replace(volts, streams=(small,)), tmp_path / "f.csv")
    (stream,) = read(tmp_path / "f.csv")[0].streams
    assert stream.unit == "mV"
    np.testing.assert_allclose(stream.samples, small.samples * 1000, atol=5.1e-8)


def test_a_discover_file_begins_titles_with_what_is_measured(tmp_path):
    named = recording()
    odd = replace(named.streams[0], sensor="", channels=('upper, "left"',))
    WRITERS["discover-csv"].write(replace(named, streams=(odd,)), tmp_path / "f.csv")
    (stream,) = read(tmp_path / "f.csv")[0].streams
    assert (stream.modality, stream.sensor) == ("emg", "sensor")


def test_pyxdf_reads_what_is_written(tmp_path):
    """Oracle: pyxdf."""
    pyxdf = pytest.importorskip("pyxdf")
    made = recording()
    write_xdf(made, tmp_path / "f.xdf")
    streams, _ = pyxdf.load_xdf(str(tmp_path / "f.xdf"))
    assert [s["info"]["type"][0] for s in streams] == ["EMG", "ACC", "EMG"]
    for stream, found in zip(made.streams, streams, strict=True):
        np.testing.assert_array_equal(found["time_series"], stream.samples)
        times_s = np.arange(stream.n_samples) / stream.rate_hz
        np.testing.assert_allclose(found["time_stamps"], times_s, atol=1e-9)
        assert found["footer"]["info"]["sample_count"] == [str(stream.n_samples)]


def test_a_discover_file_holds_no_uneven_times(tmp_path):
    """Oracle: the format has one rate a column; a gap would be closed without a word."""
    made = recording()
    times_s = np.arange(680) / 1259.2593
    times_s[300:] += 1.0
    gap = replace(made.streams[0], times_s=times_s)
    with pytest.raises(KdEdgeError, match="even from time 0"):
        WRITERS["discover-csv"].write(replace(made, streams=(gap,)), tmp_path / "f.csv")


def test_names_of_files_differ_on_file_systems_that_know_no_case():
    names = file_names([recording(label=label) for label in ("A", "a", "a/b\\..")], ".npz")
    assert len({name.casefold() for name in names}) == 3
    assert all(not set('/\\:*?"<>|') & set(name) for name in names)


def test_trials_are_counted_where_their_numbers_are_doubled(tmp_path):
    made = [recording(), replace(recording(), synthetic=True)]
    write_folder(made, tmp_path / "out", WRITERS["npz"])
    assert [r.trial for r in read(tmp_path / "out")] == [0, 1]


def test_a_failed_conversion_leaves_nothing(tmp_path):
    late = recording()
    late = replace(late, streams=(replace(late.streams[0], start_s=1.0),))
    with pytest.raises(KdEdgeError) as caught:
        write_folder([recording(), late], tmp_path / "out", WRITERS["discover-csv"])
    assert caught.value.code == "KD_BAD_SAMPLES"
    assert list(tmp_path.iterdir()) == []


def test_the_command_converts_genuine_files_and_says_what_it_wrote(shared_data, tmp_path, capsys):
    """Oracle: the genuine exports; 64 signals of ten sensors stand in the first."""
    genuine = shared_data("delsys_exports") / "discover150.csv"
    out = str(tmp_path / "a b")
    command = ["data", "convert", str(genuine), "--out", out, "--json", "--to"]
    assert run([*command, "npz"]) == 0
    assert '"recordings": 1, "labelled": 0' in capsys.readouterr().out
    before, after = read(genuine)[0], read(tmp_path / "a b")[0]
    assert_same(before, after)
    assert not (tmp_path / "a b" / "labels.csv").exists()
    assert run([*command, "npy"]) == 2
    assert "did you mean 'npz'" in capsys.readouterr().out
    assert run([*command, "npz"]) == 3  # the files are there already
