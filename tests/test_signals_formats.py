"""Readers of file formats. Oracles: genuine files, and each format's own library."""

from __future__ import annotations

import sqlite3
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from format_samples import recording

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import find_reader, read
from kd_edge.signals.xdf_writer import write_xdf


def refused(path: Path, reader: str | None = None, **options) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        read(path, reader, **options)
    return caught.value


# --- native Delsys files --------------------------------------------------------------------------


@pytest.fixture
def native(shared_data) -> Path:
    (path,) = shared_data("delsys_native").glob("*.delsys")
    return path


def test_a_genuine_delsys_archive_gives_what_its_database_says(native):
    """Oracle: the archive's tables, and 1 g on average."""
    (found,) = read(native)
    emg, imp, acc, gyr = found.streams
    assert [s.modality for s in found.streams] == ["emg", "imp", "acc", "gyr"]
    assert [s.n_samples for s in found.streams] == [12580, 740, 1480, 1480]
    assert emg.channels == ("Avanti Sensor (1): EMG 1 R Pronator Teres",)
    assert (emg.unit, acc.unit, gyr.unit) == ("mV", "g", "deg/s")
    assert emg.rate_hz == pytest.approx(1259.259259)
    assert imp.rate_hz == pytest.approx(74.074074)
    assert found.duration_s == pytest.approx(9.99)
    assert found.started == "2022-08-29T00:00:00"
    assert np.linalg.norm(acc.samples, axis=1).mean() == pytest.approx(0.996, abs=1e-3)


def test_the_shpf_file_alone_gives_the_same_samples(native):
    (archive,), (alone,) = read(native), read(native.with_suffix(".shpf"))
    assert archive.content_sha256 == alone.content_sha256
    (once,) = read(native.parent, "files")
    assert once.content_sha256 == archive.content_sha256


def repacked(native: Path, place: Path, statement: str) -> Path:
    """The archive with its database changed by a statement of SQL."""
    with zipfile.ZipFile(native) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (name,) = (name for name in members if name.endswith("exported.db"))
    opened = sqlite3.connect(":memory:")
    opened.deserialize(members[name][:18] + b"\1\1" + members[name][20:])
    opened.execute(statement)
    opened.commit()
    members[name] = opened.serialize()
    opened.close()
    with zipfile.ZipFile(place, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return place


@pytest.mark.parametrize(
    ("statement", "code", "said"),
    [
        ("UPDATE Channel SET SampleRate = 2000 WHERE ChannelId = 1", "KD_BAD_FORMAT", "other"),
        ("UPDATE Channel SET Units = 3 WHERE ChannelId = 1", "KD_BAD_FORMAT", "other channels"),
        ("DELETE FROM Channel WHERE ChannelId = 8", "KD_BAD_FORMAT", "other channels"),
        ("UPDATE Trial SET CollectionLength = 20", "KD_TRUNCATED", "9.99 s, and its database"),
        ("DELETE FROM Trial", "KD_BAD_FORMAT", "no trial"),
        ("DROP TABLE Channel", "KD_BAD_FORMAT", "Channel"),
        ("UPDATE Channel SET SampleRate = 'x' WHERE ChannelId = 1", "KD_BAD_FORMAT", "no number"),
    ],
)
def test_an_archive_that_does_not_add_up_is_refused(native, tmp_path, statement, code, said):
    error = refused(repacked(native, tmp_path / "f.delsys", statement))
    assert (error.code, said in error.message) == (code, True), error


def test_a_cut_shpf_file_is_refused(native, write):
    content = native.with_suffix(".shpf").read_bytes()
    for n_bytes in (10, 100, 700, 100_000):
        assert refused(write(content[:n_bytes], "f.shpf")).code == "KD_TRUNCATED"


# --- XDF ------------------------------------------------------------------------------------------


def xdf(place: Path) -> bytes:
    write_xdf(recording(), place)
    return place.read_bytes()


def test_an_xdf_file_is_found_by_its_first_bytes(tmp_path):
    (tmp_path / "f.bin").write_bytes(xdf(tmp_path / "f.xdf"))
    assert find_reader(tmp_path / "f.bin").name == "xdf"


def test_a_cut_or_damaged_xdf_file_is_refused_though_pyxdf_reads_on(tmp_path, write):
    """Oracle: pyxdf, which gives fewer samples for the same bytes and logs it."""
    pytest.importorskip("pyxdf")
    content = xdf(tmp_path / "f.xdf")
    assert refused(write(content[:-5000], "g.xdf")).code == "KD_TRUNCATED"
    at = content.index(b"<channel_count>1<") + 15
    wider = content[:at] + b"3" + content[at + 1 :]
    assert refused(write(wider, "g.xdf")).code == "KD_BAD_FORMAT"


def test_a_clock_of_lab_streaming_layer_starts_anywhere(tmp_path):
    pytest.importorskip("pyxdf")
    made = recording()
    late = [replace(s, start_s=s.start_s + 91234.5) for s in made.streams]
    write_xdf(replace(made, streams=tuple(late)), tmp_path / "f.xdf")
    (found,) = read(tmp_path / "f.xdf")
    assert found.begin_s == pytest.approx(91234.5)
    assert [s.times_s for s in found.streams] == [None] * 3
    assert [s.rate_hz for s in found.streams] == [s.rate_hz for s in made.streams]


def test_jitter_of_an_even_stream_is_removed_and_a_gap_is_kept(tmp_path):
    """Oracle: the times that it was made with; pyxdf makes them even."""
    pytest.importorskip("pyxdf")
    made = recording().streams[0]
    true_s = np.arange(made.n_samples) / 100.0
    true_s[400:] += 3.0
    noisy_s = np.sort(true_s + np.random.default_rng(3).uniform(0, 0.004, len(true_s)))
    jittery = replace(made, rate_hz=100.0, times_s=noisy_s, start_s=noisy_s[0])
    write_xdf(replace(recording(), streams=(jittery,)), tmp_path / "f.xdf")
    (stream,) = read(tmp_path / "f.xdf")[0].streams
    np.testing.assert_allclose(stream.times_s, true_s + 0.002, atol=1e-3)
    steps = np.diff(stream.times_s)
    assert np.flatnonzero(steps > 0.02).tolist() == [399]
    assert np.ptp(np.delete(steps, 399)) < 1e-4
