"""Adapters of public sets: the genuine archives, small ones of the same kind, and damaged ones."""

from __future__ import annotations

import importlib.util
import io
import json
import lzma
import pickle
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import checks, find_reader, read
from kd_edge.signals.sets import (
    isl_alphabet_myo,
    myo_cotallard,
    myo_longterm,
    myo_pjm,
    threedc,
    watch,
)


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:xz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def refused(call, *arguments) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        call(*arguments)
    return caught.value


def isl_trial(timestamp: str, first: int = 0) -> bytes:
    axes = {"gyroscope": [1, 2, 3], "acceleration": [0, 0, 1], "orientation": [1, 0, 0, 0]}
    return json.dumps(
        {
            "timestamp": timestamp,
            "duration": 15,
            "emg": {"frequency": 200, "data": [[first, 1, 2, 3, 4, 5, 6, 7], [0] * 8, [1] * 8]},
            "imu": {"frequency": 200, "data": [axes] * 3},
        }
    ).encode()


# --- genuine sets ---------------------------------------------------------------------------------


def test_the_sign_alphabet_has_its_letters_days_and_repetitions(shared_data):
    """Oracle: the data's README: 26 letters, 27 repetitions in June and one in July."""
    folder = shared_data("isl_alphabet_myo")
    assert find_reader(folder).name == "isl-alphabet-myo"
    recordings = read(folder)
    june = [r for r in recordings if r.session < "2020-07"]
    assert (len(june), len(recordings) - len(june)) == (26 * 27, 26)
    assert {r.label for r in recordings} == set("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert {r.label for r in june if r.session == "2020-06-26"} == set("ABCDEFGHIJKLMNOPQR")
    shapes = {s.modality: s.samples.shape for s in recordings[0].streams}
    assert shapes == {"emg": (400, 8), "acc": (400, 3), "gyr": (400, 3), "quat": (400, 4)}
    checks.check(recordings)
    letter = [r for r in june if r.label == "K"]
    assert [r.trial for r in letter] == list(range(27))
    assert [r.started for r in letter] == sorted(r.started for r in letter)


def test_3dc_has_its_subjects_gestures_and_two_rates(shared_data):
    """Oracle: the data's README: 4 subjects, 11 gestures, 8 repetitions, 1000 and 50 Hz."""
    recordings = read(shared_data("threedc_emg_imu"))
    assert len(recordings) == 4 * 11 * 8
    assert len({r.label for r in recordings}) == 11
    assert {r.session for r in recordings} == {"train", "test"}
    assert {(s.modality, s.rate_hz) for r in recordings for s in r.streams} == {
        ("emg", 1000.0),
        ("quat", 50.0),
    }
    ratio = [r.streams[0].duration_s / r.streams[1].duration_s for r in recordings]
    assert 0.9 < np.median(ratio) < 1.1
    checks.check(recordings)


def test_the_myo_sets_have_their_subjects_and_sessions(shared_data):
    """Oracle: the data's README: 13 subjects x 7; 2 x 22 motions x 4 x 5 days of 300 x 8."""
    many = read(shared_data("myo_cotallard"))
    assert len(many) == 13 * 3 * 28
    assert len({r.subject for r in many}) == 13
    assert len({r.label for r in many}) == 7
    checks.check(many)
    days = read(shared_data("myo_longterm"))
    assert len(days) == 2 * 22 * 4 * 5
    assert {r.streams[0].samples.shape for r in days} == {(300, 8)}
    assert len({r.session for r in days}) == 5
    checks.check(days)


def test_the_polish_signs_have_their_signers_and_words(shared_data):
    """Oracle: the data's README: 15 signers, 18 words, at most 13 repetitions, 200 and 50 Hz."""
    recordings = read(shared_data("myo_pjm"))
    assert len({r.subject for r in recordings}) == 15
    assert {r.label for r in recordings} == {f"word {n}" for n in range(1, 19)}
    repetitions = Counter((r.subject, r.label) for r in recordings)
    assert max(repetitions.values()) == 13
    gravity = [np.linalg.norm(r.streams[1].samples, axis=1).mean() for r in recordings]
    assert 0.95 < np.median(gravity) < 1.15
    assert all(1.9 < s.duration_s < 2.1 for r in recordings for s in r.streams)
    checks.check(recordings)


# --- small archives of the same kind --------------------------------------------------------------


def test_trials_of_the_sign_alphabet_are_counted_in_order_of_time(tmp_path):
    """Oracle: the times, not the file names; a new day counts anew."""
    members = {
        "Dataset/A/z.json": isl_trial("26/06/20/10:00:01", 1),
        "Dataset/A/a.json": isl_trial("26/06/20/10:00:09", 2),
        "Dataset/A/m.json": isl_trial("27/06/20/09:00:00", 3),
    }
    for place in (
        pack(tmp_path / "Dataset_june.tar.xz", members),
        tmp_path,
    ):
        recordings = isl_alphabet_myo.read(place)
        firsts = [(r.session, r.trial, r.streams[0].samples[0, 0]) for r in recordings]
        assert firsts == [("2020-06-26", 0, 1), ("2020-06-26", 1, 2), ("2020-06-27", 0, 3)]


def test_an_unpacked_set_reads_as_its_archive_does(tmp_path):
    """Oracle: the same content packed."""
    members = {"Dataset/A/z.json": isl_trial("26/06/20/10:00:01", 1)}
    packed = pack(tmp_path / "Dataset_june.tar.xz", members)
    unpacked = tmp_path / "unpacked"
    for name, content in members.items():
        (unpacked / name).parent.mkdir(parents=True)
        (unpacked / name).write_bytes(content)
    assert find_reader(unpacked).name == "isl-alphabet-myo"
    one, other = isl_alphabet_myo.read(packed), isl_alphabet_myo.read(unpacked)
    assert one[0].content_sha256 == other[0].content_sha256


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"\xff\xfe",
        isl_trial("26-06-20"),
        isl_trial("26/06/20/10:00:01").replace(b"[0, 1, 2", b"[0, 1, [2]"),
        isl_trial("26/06/20/10:00:01").replace(b"gyroscope", b"gyro"),
        isl_trial("26/06/20/10:00:01").replace(b"[1, 2, 3]", b"[1, 2]"),
        isl_trial("26/06/20/10:00:01").replace(b'"frequency": 200', b'"frequency": 0'),
        isl_trial("26/06/20/10:00:01").replace(b"[0, 1, 2", b"[1e41, 1, 2"),
        isl_trial("26/06/20/10:00:01").replace(b"[0, 1, 2", b"[NaN, 1, 2"),
        isl_trial("26/06/20/10:00:01").replace(b'"frequency": 200', b'"frequency": 1e400'),
        b"[" * 100000,
    ],
)
def test_a_damaged_trial_of_the_sign_alphabet_is_named(tmp_path, content):
    """Oracle: one fault in one member."""
    path = pack(tmp_path / "Dataset_x.tar.xz", {"Dataset/A/z.json": content})
    error = refused(isl_alphabet_myo.read, path)
    assert error.code == "KD_BAD_FORMAT"
    assert "Dataset/A/z.json" in error.where


def test_3dc_pairs_its_files_and_notes_a_blank_first_quaternion(tmp_path):
    """Oracle: one repetition, read by eye."""
    emg = b"1,2,3,4,5,6,7,8,9,10\n-1,0,0,0,0,0,0,0,0,0"
    imu = b"(0, 0, 0, 0)\n(0.5, 0.5, -0.5, 0.5)\n"
    stem = "Participant3/train/{0}/3dc_{0}_gesture_2_10.txt"
    good = {stem.format("EMG"): emg, stem.format("IMU"): imu}
    (recording,) = threedc.read(pack(tmp_path / "participants_x.tar.xz", good))
    assert (recording.label, recording.subject, recording.trial) == ("gesture 10", "P3", 2)
    assert recording.streams[0].samples.shape == (2, 10)
    assert recording.streams[1].samples[1].tolist() == [0.5, 0.5, -0.5, 0.5]
    assert "quaternion" in recording.notes[0]
    for broken in (
        {stem.format("EMG"): emg},
        {**good, stem.format("IMU"): b"0, 0, 0, 0\n"},
        {**good, stem.format("EMG"): emg.replace(b"5", b"five")},
        {**good, stem.format("EMG"): b""},
        {**good, "Participant3/readme.txt": b""},
    ):
        path = pack(tmp_path / "participants_y.tar.xz", broken)
        assert refused(threedc.read, path).code in ("KD_BAD_FORMAT", "KD_BAD_CELL")


def test_the_seventh_file_of_a_myo_session_is_the_first_gesture_again(tmp_path):
    """Oracle: gesture = i mod 7, in the data's README."""
    counts = np.arange(16, dtype="<i2")
    stem = "EvaluationDataset/Male1/training0/classe_{}.dat"
    members = {stem.format(i): (counts + i).tobytes() for i in (7, 0, 12)}
    path = pack(tmp_path / "EvaluationDataset_x.tar.xz", members)
    found = [(r.label, r.trial, r.streams[0].samples[1, 0]) for r in myo_cotallard.read(path)]
    assert found == [("gesture 0", 0, 8), ("gesture 0", 1, 15), ("gesture 5", 1, 20)]
    path = pack(tmp_path / "EvaluationDataset_x.tar.xz", {stem.format(0): b"\0" * 15})
    assert refused(myo_cotallard.read, path).code == "KD_BAD_FORMAT"


def test_two_kinds_of_rows_become_streams_of_their_own_rates(tmp_path):
    """Oracle: 2048 counts a g, 16 a degree a second, 16384 a unit, in the data's README."""
    emg = b'"2018-03-22T17:16:32.872551","emg","0","3","-1","-1","2","-2","-7","5","2018"\n'
    imu = (
        b'"2018-03-22T17:16:32.867102","acc","2048","0","-1024","gyro","16","0","-8",'
        b'"quat","16384","0","0","0"\n'
    )
    name = "raw_data/person7/[12]2018-03-22 17:16:31025030_{}.csv"
    members = {name.format(16): imu + emg + emg, name.format(2): emg + imu}
    path = pack(tmp_path / "raw_2_signers.tar.xz", members)
    found = {r.label: r for r in myo_pjm.read(path)}
    assert set(found) == {"word 16", "word 2"}
    recording = found["word 16"]
    assert (recording.subject, recording.session) == ("person 7", "2018-03-22")
    streams = {s.modality: s for s in recording.streams}
    assert [(s.rate_hz, s.samples.shape) for s in streams.values()] == [
        (200.0, (2, 8)), (50.0, (1, 3)), (50.0, (1, 3)), (50.0, (1, 4)),
    ]  # fmt: skip
    assert streams["emg"].samples[1].tolist() == [0, 3, -1, -1, 2, -2, -7, 5]
    assert streams["acc"].samples[0].tolist() == [1, 0, -0.5]
    assert streams["gyr"].samples[0].tolist() == [1, 0, -0.5]
    assert streams["quat"].samples[0].tolist() == [1, 0, 0, 0]
    for broken in (
        emg, imu, b"", imu + emg.replace(b'"5","2018"', b""), emg + imu.replace(b"gyro", b"gyrus"),
        emg + imu + b"\n", imu.replace(b"2018-03-22T", b"yesterday ") + emg, b"\xff" + emg + imu,
        imu + emg.replace(b'"-7"', b'"1e99"'),
    ):  # fmt: skip
        path = pack(tmp_path / "raw_1_signers.tar.xz", {name.format(1): broken})
        error = refused(myo_pjm.read, path)
        assert error.code == "KD_BAD_FORMAT"
        assert "[12]" in error.where


def test_days_motions_and_trials_come_from_the_file_names(tmp_path):
    """Oracle: the name D15M22T4 of subject 2."""
    row = b"0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8\n"
    path = pack(tmp_path / "sub2days.tar.xz", {"data/sub2/day15/D15M22T4.csv": row * 3})
    (r,) = myo_longterm.read(path)
    assert (r.subject, r.session, r.label, r.trial) == ("S2", "day 15", "motion 22", 4)
    path = pack(tmp_path / "sub2days.tar.xz", {"data/sub2/day15/D15M22T4.csv": row[:-9] + b"\n"})
    assert refused(myo_longterm.read, path).code == "KD_TRUNCATED"


def test_damaged_archives_are_truncated_or_no_archives(tmp_path):
    """Oracle: an archive cut in its middle, a text, a cut tar inside whole xz, an empty one."""
    members = {f"Dataset/A/{i}.json": isl_trial("26/06/20/10:00:01", i) for i in range(50)}
    path = pack(tmp_path / "Dataset_x.tar.xz", members)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert refused(isl_alphabet_myo.read, path).code == "KD_TRUNCATED"
    path.write_bytes(lzma.compress(lzma.decompress(whole)[:3000]))
    assert refused(isl_alphabet_myo.read, path).code == "KD_TRUNCATED"
    path.write_bytes(b"no archive at all")
    assert refused(isl_alphabet_myo.read, path).code == "KD_BAD_FORMAT"
    pack(path, {"readme.md": b"hello"})
    assert refused(isl_alphabet_myo.read, path).code == "KD_EMPTY_FOLDER"
    assert refused(isl_alphabet_myo.read, tmp_path / "none.tar.xz").code == "KD_NO_FILE"


# --- watch ----------------------------------------------------------------------------------------


def test_the_watch_set_has_its_subjects_and_exercises():
    """Oracle: seglearn's own description: 140 recordings, 7 exercises, at 50 Hz."""
    if importlib.util.find_spec("seglearn") is None:
        pytest.skip("seglearn is not installed")
    recordings = read(None, "watch")
    assert len(recordings) == 140
    assert {r.label for r in recordings} == {"PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW"}
    assert {r.session for r in recordings} == {"left", "right"}
    assert len({r.subject for r in recordings}) == 10
    assert {s.rate_hz for r in recordings for s in r.streams} == {50.0}
    gravity = np.median([np.linalg.norm(r.streams[0].samples, axis=1).mean() for r in recordings])
    assert 0.9 < gravity < 1.3
    checks.check(recordings)


def test_without_the_package_the_watch_set_says_how_to_get_it(monkeypatch):
    """Oracle: find_spec finds nothing."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    error = refused(read, None, "watch")
    assert error.code == "KD_MISSING_PACKAGE"
    assert "kd-edge[watch]" in error.hint


class _Harmful:
    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.parametrize("value", [_Harmful(), [1, 2], {"X": []}, {"X": 1, "y": 2}])
def test_a_watch_file_that_holds_anything_else_is_refused_and_never_run(tmp_path, capsys, value):
    """Oracle: an object that prints when it is unpickled; nothing is printed."""
    path = tmp_path / "watch_dataset.npy"
    with open(path, "wb") as stream:
        header = {"descr": "|O", "fortran_order": False, "shape": ()}
        np.lib.format.write_array_header_1_0(stream, header)
        pickle.dump(value, stream)
    assert refused(watch.read, path).code == "KD_BAD_FORMAT"
    assert capsys.readouterr().out == ""
    path.write_bytes(path.read_bytes()[:50])
    assert refused(watch.read, path).code == "KD_BAD_FORMAT"
