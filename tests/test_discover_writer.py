"""Discover exports that kd-edge writes: against the reader, and against genuine exports."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import read
from kd_edge.signals.discover_writer import VERSIONS, write_discover_csv
from kd_edge.signals.recording import Recording, Stream
from kd_edge.signals.simulate import SignSettings, simulate


@pytest.fixture(scope="module")
def made() -> Recording:
    settings = SignSettings(n_signs=1, n_subjects=1, n_repetitions=1, dropout=1.0, seed=5)
    return simulate(settings)[0]


def with_stream(recording: Recording, **changes) -> Recording:
    first, *others = recording.streams
    return replace(recording, streams=(replace(first, **changes), *others))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_reader_finds_every_stream_as_it_was_written(made, tmp_path, version):
    """Oracle: the simulated recording itself."""
    path = tmp_path / "trial.csv"
    write_discover_csv(made, path, version)
    (found,) = read(path)
    assert found.synthetic
    assert found.started == made.started
    assert len(found.streams) == 9
    for before, after in zip(made.streams, found.streams, strict=True):
        assert (after.modality, after.sensor, after.channels) == (
            before.modality,
            before.sensor,
            before.channels,
        )
        assert after.rate_hz == pytest.approx(before.rate_hz, abs=5e-5)
        assert after.unit.lower() == before.unit.lower()
        assert after.samples.shape == before.samples.shape
        np.testing.assert_allclose(after.samples, before.samples, rtol=0, atol=6e-8)
        # The counts of the converter survive the printing.
        counts = np.rint(after.samples.astype(np.float64) / before.lsb)
        np.testing.assert_array_equal((counts * before.lsb).astype(np.float32), before.samples)


def test_the_rates_of_the_older_sensor_are_written_as_discover_rounds_them(made, tmp_path):
    """Oracle: 900 µs and 6.75 ms a sample, to four decimals."""
    path = tmp_path / "trial.csv"
    write_discover_csv(made, path)
    rates = path.read_text().split("\n")[6].strip().split(", ")
    assert rates == (["1111.1111 Hz"] + ["148.1481 Hz"] * 6) * 3


def test_motion_ends_early_with_empty_cells(made, tmp_path):
    """Oracle: 400 and 3000 samples over 7 header rows; the form of the genuine exports."""
    path = tmp_path / "trial.csv"
    write_discover_csv(made, path)
    lines = path.read_bytes().split(b"\r\n")
    rows = lines[-3001:-1]
    assert lines[-1] == b""
    assert len(rows) == 3000
    assert all(row.count(b",") == 20 for row in rows)
    assert b", , " not in rows[399]
    assert rows[400].endswith(b", , , , , , ")
    assert b"Collection Length (seconds):, 2.700000\n" in path.read_bytes()


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("discover150.csv", "1.5.0"),
        ("discover164_basic.csv", "1.6.4"),
        ("discover170.csv", "1.7.0"),
    ],
)
def test_a_genuine_export_is_written_back_as_it_was(shared_data, tmp_path, name, version):
    """Oracle: the genuine file: every byte that is no digit, every number to single precision."""
    genuine = shared_data("delsys_exports") / name
    (recording,) = read(genuine)
    path = tmp_path / name
    write_discover_csv(recording, path, version)
    before, after = genuine.read_bytes().split(b"\n"), path.read_bytes().split(b"\n")
    # Row 3 is the whole collection's length, of which these files are a part; row 5 has mode
    # numbers of kinds of sensor that kd-edge does not make.
    for row in (0, 1, 3, 5, 6):
        assert after[row] == before[row]
    assert [len(c) > 1 for c in after[4].split(b",")] == [len(c) > 1 for c in before[4].split(b",")]
    number = re.compile(rb"-?\d+(?:\.\d{1,7})?")
    assert [number.sub(b"#", r) for r in after[7:]] == [number.sub(b"#", r) for r in before[7:]]
    np.testing.assert_allclose(
        [float(n) for r in after[7:] for n in number.findall(r)],
        [float(n) for r in before[7:] for n in number.findall(r)],
        rtol=1e-7,
        atol=1.01e-7,
    )


def test_a_recording_that_is_not_synthetic_is_not_called_so(tmp_path):
    """Oracle: the first row of a genuine export."""
    path = tmp_path / "trial.csv"
    plain = Stream("emg", "EMG 01 (1)", ("EMG 01 (1): EMG 1",), np.ones((9, 1), "f4"), 100.0, "mV")
    write_discover_csv(Recording((plain,), "here", started="2026-04-10T00:13:39"), path)
    text = path.read_bytes().decode()
    assert text.startswith(
        "Application:, Trigno Discover (1.7.0)\r\nDate/Time:, 4/10/2026 12:13:39 AM"
    )
    assert "synthetic" not in text.lower()


def test_an_unknown_version_names_the_known_ones(made, tmp_path):
    with pytest.raises(KdEdgeError, match="1\\.7\\.1") as caught:
        write_discover_csv(made, tmp_path / "trial.csv", "1.7.1")
    assert caught.value.code == "KD_UNKNOWN_NAME"
    assert "1.7.0" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"start_s": 0.5}, "KD_BAD_SAMPLES"),
        ({"samples": np.full((3000, 1), np.nan, dtype=np.float32)}, "KD_BAD_SAMPLES"),
        ({"sensor": "Biceps, left"}, "KD_LABELS"),
    ],
)
def test_what_the_format_cannot_hold_is_refused_and_leaves_no_file(made, tmp_path, changes, code):
    path = tmp_path / "trial.csv"
    with pytest.raises(KdEdgeError) as caught:
        write_discover_csv(with_stream(made, **changes), path)
    assert caught.value.code == code
    assert not path.exists()
