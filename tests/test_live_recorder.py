"""A live session as a recording. Oracle: the readers give back the counts that were streamed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live_samples import ACC, EMG, FACTS, samples_of

from kd_edge.base.errors import KdEdgeError
from kd_edge.examples.raw import to_counts
from kd_edge.live.labels import add
from kd_edge.live.recorder import Recorder, recover
from kd_edge.signals import read
from kd_edge.signals.checks import check

HERE = Path(__file__).resolve().parent


def take(recorder, pieces):
    """Records the pieces (stream, first, n); returns what was streamed, (numbers, counts) each."""
    streamed = {0: [], 1: []}
    for piece in pieces:
        samples = samples_of(*piece)
        recorder.take(samples)
        streamed[piece[0]].append((np.arange(piece[1], piece[1] + piece[2]), samples.values))
    return {
        stream: tuple(np.concatenate(part) for part in zip(*parts, strict=True))
        for stream, parts in streamed.items()
        if parts
    }


# Two seconds of both sensors, in frames.
WHOLE = [
    *[(0, first, 55) for first in range(0, 2200, 55)],
    *[(1, first, 10) for first in range(0, 300, 10)],
]


def without(*lost):
    return [piece for piece in WHOLE if piece not in lost]


def test_every_sample_comes_back_as_it_was_streamed(tmp_path):
    recorder = Recorder(tmp_path / "a.npz", FACTS, label="house", subject="S1", session="day 2")
    streamed = take(recorder, WHOLE)
    recorded = recorder.finish()
    assert (recorded.path, recorded.gaps) == (tmp_path / "a.npz", 0)
    assert recorded.samples == (2200, 300)
    (recording,) = read(recorded.path)
    assert (recording.label, recording.subject, recording.session) == ("house", "S1", "day 2")
    assert recording.started
    for index, (sensor, stream) in enumerate(zip((EMG, ACC), recording.streams, strict=True)):
        assert (stream.modality, stream.channels) == (sensor.name, sensor.channels)
        assert (stream.unit, stream.rate_hz, stream.lsb) == (
            sensor.unit,
            sensor.rate_hz,
            sensor.lsb,
        )
        assert stream.times_s is None
        assert stream.start_s == 0
        np.testing.assert_array_equal(to_counts(stream.samples, sensor.lsb), streamed[index][1])
    check([recording])
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


RESERVED = ("file", "label", "allow_pickle", "args", "kwds", "subject", "emg.unit", "a/b", "a.npy")


@pytest.mark.parametrize("name", RESERVED)
def test_a_sensor_may_be_called_as_it_likes(tmp_path, name):
    """Oracle: the name comes back; alone it would be an argument of NumPy's or a fact's key."""
    facts = replace(FACTS, sensors=(replace(EMG, name=name), replace(ACC, name="trial")))
    recorder = Recorder(tmp_path / "a.npz", facts, label="house")
    streamed = take(recorder, WHOLE)
    (recording,) = read(recorder.finish().path)
    assert [stream.modality for stream in recording.streams] == [name, "trial"]
    assert (recording.label, recording.trial) == ("house", 0)
    for index, (sensor, stream) in enumerate(zip((EMG, ACC), recording.streams, strict=True)):
        np.testing.assert_array_equal(to_counts(stream.samples, sensor.lsb), streamed[index][1])


def test_a_gap_is_told_by_times_and_by_nothing_made_up(tmp_path):
    recorder = Recorder(tmp_path / "a.npz", FACTS)
    streamed = take(recorder, without((0, 550, 55), (0, 605, 55), (1, 0, 10)))
    recorded = recorder.finish()
    assert recorded.gaps == 1
    (recording,) = read(recorded.path)
    emg, acc = recording.streams
    np.testing.assert_array_equal(to_counts(emg.samples, EMG.lsb), streamed[0][1])
    np.testing.assert_allclose(emg.times_s, streamed[0][0] / EMG.rate_hz, atol=1e-12)
    # The other one only begins later.
    assert acc.times_s is None
    assert acc.start_s == pytest.approx(10 / ACC.rate_hz)
    with pytest.raises(KdEdgeError, match="gap"):
        check([recording])


def test_in_a_folder_each_stretch_between_gaps_is_a_recording_without_gaps(tmp_path):
    recorder = Recorder(tmp_path / "mine", FACTS, label="tree", subject="S1")
    streamed = take(recorder, without((0, 770, 55), (1, 200, 10), (1, 210, 10)))
    recorded = recorder.finish()
    assert (recorded.gaps, recorded.rows) == (2, 3)
    recordings = read(tmp_path / "mine")
    check(recordings, allow_stuck=True)
    assert [r.trial for r in recordings] == [1, 2, 3]
    whole = to_counts(np.concatenate([r.streams[0].samples for r in recordings]), EMG.lsb)
    rows = {
        row.tobytes(): number for row, number in zip(streamed[0][1], streamed[0][0], strict=True)
    }
    numbers = [rows[row.tobytes()] for row in whole]
    # Nothing stands twice or out of order, and only what the other sensor lacks is left out.
    assert numbers == sorted(set(numbers))
    lacking = (200 / ACC.rate_hz, 220 / ACC.rate_hz)
    left_out = [n for n in streamed[0][0] if n not in set(numbers)]
    assert left_out
    assert all(lacking[0] - 1e-6 <= n / EMG.rate_hz < lacking[1] for n in left_out)


def test_a_stretch_shorter_than_a_window_is_not_named(tmp_path):
    recorder = Recorder(tmp_path / "mine", FACTS)
    take(recorder, without((0, 110, 55), (0, 1100, 55)))
    assert recorder.finish().rows == 2  # 0.1 s before the first gap are less than 0.324 s


def test_sessions_add_up_to_a_dataset(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "labels.csv").write_text("file,label,subject,session,trial\n")
    for label in ("tree", "house", "tree"):
        recorder = Recorder(folder, FACTS, label=label, subject="S1")
        take(recorder, WHOLE)
        target = recorder.finish().path
        moved = target.with_name(f"{len(list(folder.iterdir()))}.npz")
        target.rename(moved)  # the next one begins within the same second
        text = (folder / "labels.csv").read_text().replace(target.name, moved.name)
        (folder / "labels.csv").write_text(text)
    recordings = read(folder)
    assert [(r.label, r.trial) for r in recordings] == [("tree", 1), ("house", 1), ("tree", 2)]


CRASH = """
import os, sys
sys.path[:0] = [sys.argv[1]]
from live_samples import FACTS, samples_of
from kd_edge.live.recorder import Recorder
recorder = Recorder(__import__("pathlib").Path(sys.argv[2]), FACTS, label="house")
for first in range(0, 1100, 55):
    recorder.take(samples_of(0, first, 55))
recorder.take(samples_of(1, 0, 10))
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_session_has_taken_is_recovered(tmp_path):
    target = tmp_path / "a.npz"
    done = subprocess.run([sys.executable, "-c", CRASH, HERE, target], check=False)
    assert done.returncode == -9
    assert not target.exists()
    part = tmp_path / "a.npz.part"
    with open(part / "0.counts", "ab") as file:
        file.write(b"cut")  # as a power cut may leave it
    with pytest.raises(KdEdgeError, match="there already") as refused:
        Recorder(target, FACTS)
    assert f"--recover {part}" in refused.value.hint
    recorded = recover(part)
    assert recorded.samples == (1100, 10)
    (recording,) = read(target)
    wanted = np.concatenate([samples_of(0, first, 55).values for first in range(0, 1100, 55)])
    np.testing.assert_array_equal(to_counts(recording.streams[0].samples, EMG.lsb), wanted)
    assert not part.exists()


def test_a_session_without_a_sample_leaves_nothing(tmp_path):
    recorder = Recorder(tmp_path / "a.npz", FACTS)
    assert recorder.finish().path is None
    assert not any(tmp_path.iterdir())


def test_a_recording_is_never_overwritten(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"precious")
    with pytest.raises(KdEdgeError, match="never overwritten"):
        Recorder(tmp_path / "a.npz", FACTS)
    assert (tmp_path / "a.npz").read_bytes() == b"precious"


def test_a_labels_file_that_is_none_is_refused_before_anything_is_recorded(tmp_path):
    (tmp_path / "labels.csv").write_text("what,who\n1,2\n")
    with pytest.raises(KdEdgeError, match="no column file") as refused:
        Recorder(tmp_path, FACTS)
    assert refused.value.code == "KD_LABELS"
    assert [path.name for path in tmp_path.iterdir()] == ["labels.csv"]


def test_a_trial_that_no_reader_takes_is_no_number_to_count_on_from(tmp_path):
    """Oracle: Python's own limit of digits, beyond which int() raises."""
    trial = "9" * 5000
    (tmp_path / "labels.csv").write_text(
        f"file,label,subject,session,trial\nx.npz,house,S1,,{trial}\n"
    )
    assert add(tmp_path / "a.npz", [None], label="house", subject="S1", session="") == 1
    assert (tmp_path / "labels.csv").read_text().splitlines()[-1] == "a.npz,house,S1,,1,,"


def test_what_a_generators_signals_are_recorded_from_says_so(tmp_path):
    recorder = Recorder(tmp_path / "a.npz", replace(FACTS, synthetic=True))
    take(recorder, WHOLE[:3])
    recorder.finish()
    assert read(tmp_path / "a.npz")[0].synthetic


def test_only_a_journal_is_recovered(tmp_path):
    with pytest.raises(KdEdgeError) as missing:
        recover(tmp_path)
    assert missing.value.code == "KD_NO_FILE"
    (tmp_path / "facts.json").write_text("{}")
    with pytest.raises(KdEdgeError) as damaged:
        recover(tmp_path)
    assert damaged.value.code == "KD_BAD_FORMAT"


def begun(place, target="a.npz"):
    """A journal with samples, as a crash leaves it."""
    recorder = Recorder(place / target, FACTS, label="house")
    take(recorder, WHOLE)
    recorder._journal.close()
    return place / f"{target}.part"


def facts_with(part, **changes):
    path = part / "facts.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refusal(part):
    with pytest.raises(KdEdgeError) as caught:
        recover(part)
    return caught.value


@pytest.mark.parametrize(
    "changes", [{"label": ""}, {"started": "yesterday"}, {"started": "2026-13-01"}]
)
def test_what_no_reader_would_read_back_is_not_recovered(tmp_path, changes):
    """Oracle: the readers: a row without a label makes a whole folder unreadable."""
    part = begun(tmp_path)
    facts_with(part, **changes)
    assert refusal(part).code == "KD_BAD_FORMAT"
    assert (part / "0.counts").exists()


def test_samples_without_a_place_in_time_are_kept(tmp_path):
    """Oracle: the counts are still there; without runs they would be no recording."""
    part = begun(tmp_path)
    (part / "0.runs").write_text("")
    before = (part / "0.counts").read_bytes()
    error = refusal(part)
    assert error.code == "KD_BAD_FORMAT"
    assert "0.runs" in error.message
    assert (part / "0.counts").read_bytes() == before


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (FACTS, {"label": "\udcff"}),
        (FACTS, {"subject": "a\udcff"}),
        (FACTS, {"session": "\ud800"}),
        (FACTS, {"label": ""}),
        (replace(FACTS, sensors=(replace(EMG, name="a\nb"), ACC)), {}),
        (replace(FACTS, sensors=(replace(EMG, name="x" * 200), ACC)), {}),
        (replace(FACTS, sensors=(EMG, EMG)), {}),
        (replace(FACTS, sensors=(replace(EMG, lsb=0.0), ACC)), {}),
    ],
)
def test_a_recording_that_could_not_be_finished_is_not_begun(tmp_path, facts, words):
    """Oracle: refused before the first sample; nothing is written."""
    with pytest.raises(KdEdgeError) as caught:
        Recorder(tmp_path / "a.npz", facts, **words)
    assert caught.value.code == "KD_BAD_FORMAT"
    assert list(tmp_path.iterdir()) == []


def test_recovering_deletes_only_what_a_journal_has(tmp_path):
    part = begun(tmp_path)
    (part / "photo.jpg").write_bytes(b"mine")
    (part / "9.counts").write_bytes(b"mine too")
    recover(part)
    assert sorted(path.name for path in part.iterdir()) == ["9.counts", "photo.jpg"]


def test_a_folder_with_crafted_facts_is_not_deleted(tmp_path):
    """Oracle: every file of it is still there."""
    part = begun(tmp_path)
    photos = tmp_path / "photos"
    part.rename(photos)
    (photos / "a.jpg").write_bytes(b"mine")
    before = sorted(path.name for path in photos.iterdir())
    assert refusal(photos).code == "KD_BAD_FORMAT"
    renamed = photos.rename(tmp_path / "photos.npz.part")
    for changes in ({"sensors": []}, {"sensors": None}, {"target": "../../x"}):
        facts_with(renamed, **changes)
        if "target" not in changes:
            assert refusal(renamed).code == "KD_BAD_FORMAT"
            assert sorted(path.name for path in renamed.iterdir()) == before


def test_a_journal_names_no_other_file_than_its_own(tmp_path):
    """Oracle: what facts.json says of a target is not read."""
    part = begun(tmp_path)
    (tmp_path / "precious.npz").write_bytes(b"precious")
    facts_with(part, target="precious.npz")
    assert recover(part).path == tmp_path / "a.npz"
    assert (tmp_path / "precious.npz").read_bytes() == b"precious"


def test_recovering_never_overwrites_an_earlier_recording(tmp_path):
    part = begun(tmp_path)
    (tmp_path / "a.npz").write_bytes(b"precious")
    assert "never overwritten" in refusal(part).message
    assert (tmp_path / "a.npz").read_bytes() == b"precious"
    assert part.is_dir()
    (tmp_path / "a.npz").unlink()
    (tmp_path / "a.npz").symlink_to("nowhere")
    assert "never overwritten" in refusal(part).message


def test_a_crash_between_recording_and_clearing_away_is_recovered_once(tmp_path):
    """Oracle: the same recording, and no row twice."""
    folder = tmp_path / "mine"
    recorder = Recorder(folder, FACTS, label="house", subject="S1")
    take(recorder, WHOLE)
    recorder._journal.close()
    part, kept = recorder._journal.folder, tmp_path / "kept"
    shutil.copytree(part, kept)
    recover(part)
    rows = (folder / "labels.csv").read_text()
    kept.rename(part)
    recover(part)
    assert not part.exists()
    assert (folder / "labels.csv").read_text() == rows


@pytest.mark.parametrize("name", ["facts.json", "0.counts", "1.runs", "folder"])
def test_a_journal_is_not_read_through_links(tmp_path, name):
    part = begun(tmp_path)
    secret = tmp_path / "secret"
    if name == "folder":
        part.rename(secret)
        part.symlink_to(secret)
    else:
        (part / name).rename(secret)
        (part / name).symlink_to(secret)
    assert refusal(part).code == "KD_BAD_FORMAT"
    assert secret.exists()
    assert not (tmp_path / "a.npz").exists()


@pytest.mark.parametrize(
    "runs", ["-5 0\n", "0 -1\n", "5 0\n0 10\n", "0 10\n5 5\n", f"{10**30} 0\n", "1\n", "a b\n", "é"]
)
def test_runs_that_go_backwards_are_damage(tmp_path, runs):
    part = begun(tmp_path)
    (part / "0.runs").write_text(runs + "\n" if runs == "é" else runs)
    assert refusal(part).code == "KD_BAD_FORMAT"


@pytest.mark.parametrize(
    "change", [{"rate_hz": 0}, {"lsb": -1}, {"samples": 0}, {"channels": []}, {"rate_hz": "x"},
               {"channels": ["c"] * 2000}, {"name": None}, {"name": "a\0b"},
               {"lsb": 1e300}],
)  # fmt: skip
def test_a_sensor_that_cannot_be_is_damage(tmp_path, change):
    part = begun(tmp_path)
    sensors = json.loads((part / "facts.json").read_text())["sensors"]
    facts_with(part, sensors=[sensors[0] | change, sensors[1]])
    assert refusal(part).code == "KD_BAD_FORMAT"
    assert (part / "0.counts").exists()
