"""A prompted recording with a clock of the test's. Oracle: the source's own samples."""

from __future__ import annotations

import errno
import itertools

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.cli import run
from kd_edge.live import journal, labels, prompted
from kd_edge.live.prompted import PAUSE, QUIT, SKIP, UNDO, Asked, Session, Timing
from kd_edge.live.prompts import Prompt, ask_for, read_prompts
from kd_edge.live.quality import Stretch, faults_of
from kd_edge.live.recorder import recover
from kd_edge.live.sources.replay import Replay
from kd_edge.signals import read
from kd_edge.signals.recording import Recording, Stream

RATES = {"emg": 1000.0, "acc": 100.0}
TIMING = Timing(ready_s=0.4, perform_s=1.0, rest_s=0.3)


class Clock:
    now_s = 5000.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Screen:
    """Presses keys at phases: (phase, label) -> keys, once each."""

    def __init__(self, keys=()):
        self.keys = list(keys)
        self.now = None
        self.shown, self.told = [], []

    def show(self, phase, prompt, left_s, progress):
        self.now = (phase, prompt and prompt.label)
        if not self.shown or self.shown[-1] != self.now:
            self.shown.append(self.now)

    def tell(self, what):
        self.told.append(what)

    def key(self):
        if self.keys and self.keys[0][0] == self.now:
            return self.keys.pop(0)[1]
        return None


def muscles(seconds=60.0) -> Recording:
    rng = np.random.default_rng(1)
    streams = [
        Stream(
            name, "left", tuple(f"{name} {i}" for i in range(3)),
            rng.normal(size=(round(seconds * rate_hz), 3)).astype(np.float32), rate_hz, "u",
        )
        for name, rate_hz in RATES.items()
    ]  # fmt: skip
    return Recording(tuple(streams), "m.npz")


def session(tmp_path, prompts, *, keys=(), record=None, **more):
    clock, screen = Clock(), Screen(keys)
    source = Replay(record or muscles(), clock=clock, sleep=clock.sleep)
    asked = Asked(tmp_path, "S1", "day 1", tuple(prompts), TIMING, **more)
    return Session(source, asked, screen, clock=clock), screen


def prompts(*names) -> list[Prompt]:
    return [Prompt(name, 1) for name in names]


def rows(tmp_path) -> list[tuple[str, int]]:
    return [(r.label, r.trial) for r in read(tmp_path)]


def place_of(samples, within) -> int:
    """Where a stretch stands in a whole; it must be all of it."""
    (starts,) = np.nonzero((within == samples[0]).all(axis=1))
    (start,) = starts
    np.testing.assert_array_equal(within[start : start + len(samples)], samples)
    return int(start)


def test_what_is_asked_for_is_recorded_with_its_label_sample_by_sample(tmp_path):
    """Every take is a piece of the source, a second long, in the order of the prompts."""
    run_it, screen = session(tmp_path, prompts("house", "tree"))
    done = run_it.run()
    assert (done.why, done.progress.kept) == ("all recorded", 2)
    whole = {stream.modality: stream.samples for stream in muscles().streams}
    places = []
    for recording in read(tmp_path):
        assert (recording.subject, recording.session) == ("S1", "day 1")
        assert recording.duration_s >= 1.0
        for stream in recording.streams:
            assert stream.n_samples == round(1.01 * stream.rate_hz)
            assert (stream.unit, stream.sensor) == ("u", "left")
            place_s = place_of(stream.samples, whole[stream.modality]) / stream.rate_hz
            places.append(round(place_s, 1))
    assert places == [0.4, 0.4, 2.1, 2.1]
    assert [r.label for r in read(tmp_path)] == ["house", "tree"]
    assert screen.shown[:3] == [("ready", "house"), ("perform", "house"), ("rest", None)]


def test_the_last_take_can_be_taken_back_and_is_asked_for_again(tmp_path):
    keys = [(("ready", "tree"), UNDO)]
    run_it, screen = session(tmp_path, prompts("house", "tree"), keys=keys)
    done = run_it.run()
    assert (done.progress.kept, done.progress.undone) == (2, 1)
    asked = [label for phase, label in screen.shown if phase == "perform"]
    assert asked == ["house", "house", "tree"]
    assert rows(tmp_path) == [("house", 1), ("tree", 1)]
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_a_sign_can_be_put_off_and_a_session_paused_and_ended(tmp_path):
    keys = [
        (("ready", "a"), SKIP), (("ready", "b"), PAUSE), (("pause", None), PAUSE),
        (("ready", "c"), QUIT),
    ]  # fmt: skip
    run_it, screen = session(tmp_path, prompts("a", "b", "c"), keys=keys)
    done = run_it.run()
    assert done.why == "ended by the user"
    assert rows(tmp_path) == [("b", 1)]
    assert ("pause", None) in screen.shown


def test_rests_are_recorded_where_that_is_asked_for(tmp_path):
    run_it, _ = session(tmp_path, prompts("a", "b"), keep_rest=True)
    run_it.run()
    assert sorted(rows(tmp_path)) == [("a", 1), ("b", 1), ("rest", 1), ("rest", 2)]


def test_a_take_that_is_not_fit_is_said_and_asked_for_again(tmp_path):
    """The sensor stands still from 1.5 to 2.5 s: the second take is not kept, the third is."""
    record = muscles()
    record.streams[0].samples[1500:2500] = 0.25
    run_it, screen = session(tmp_path, prompts("a", "b"), record=record)
    done = run_it.run()
    assert (done.progress.kept, done.progress.unfit) == (2, 1)
    assert any("stood still" in what for what in screen.told)
    assert not list(tmp_path.glob("*.part"))


def test_a_source_that_ends_leaves_what_was_recorded(tmp_path):
    run_it, screen = session(tmp_path, prompts("a", "b", "c"), record=muscles(seconds=2.6))
    done = run_it.run()
    assert done.error.code == "KD_SOURCE_LOST"
    assert rows(tmp_path) == [("a", 1)]
    (part,) = tmp_path.glob("*.part")
    assert any(str(part) in what for what in screen.told)
    assert recover(part).seconds == pytest.approx(0.5, abs=0.1)


def test_a_full_disk_loses_nothing_that_was_written(tmp_path, monkeypatch):
    """Oracle: the takes before, and the journal of the one that the disk had no room for."""
    run_it, _ = session(tmp_path, prompts("a", "b"))
    write, written = journal.Journal.add, []

    def full(self, stream, first, values):
        if "-0002-" in self.folder.name and len(written) > 20:
            raise journal.output_error(
                self.folder, OSError(errno.ENOSPC, "No space left on device")
            )
        if "-0002-" in self.folder.name:
            written.append(len(values))
        write(self, stream, first, values)

    monkeypatch.setattr(journal.Journal, "add", full)
    done = run_it.run()
    assert done.error.code == "KD_OUTPUT"
    assert "No space" in str(done.error)
    assert rows(tmp_path) == [("a", 1)]
    (part,) = tmp_path.glob("*.part")
    assert recover(part).seconds > 0.05


def test_the_same_command_goes_on_where_it_ended(tmp_path):
    run_it, _ = session(tmp_path, prompts("a", "b"), keys=[(("ready", "b"), QUIT)])
    run_it.run()
    done = labels.count(tmp_path, subject="S1", session="day 1")
    assert done == {"a": 1}
    asked = ask_for(dict.fromkeys("ab"), 2, done, seed=1)
    assert sorted((p.label, p.repetition) for p in asked) == [("a", 2), ("b", 1), ("b", 2)]


def test_every_sign_comes_once_before_any_comes_again_and_none_twice_in_a_row():
    names = dict.fromkeys(str(i) for i in range(6))
    for seed in range(30):
        order = [p.label for p in ask_for(names, 4, {}, seed=seed)]
        assert [sorted(order[i : i + 6]) for i in range(0, 24, 6)] == [[*names]] * 4
        assert all(a != b for a, b in itertools.pairwise(order))
    assert len({tuple(p.label for p in ask_for(names, 4, {}, seed=s)) for s in range(9)}) == 9


@pytest.mark.parametrize(
    ("text", "words"),
    [(b"a\na\n", "line 1 and line 2"), (b"# none\n", "0 signs"), (b"\xff\xfe", "cannot be read")],
)
def test_a_file_of_prompts_that_cannot_be_is_refused(tmp_path, text, words):
    path = tmp_path / "signs.txt"
    path.write_bytes(text)
    with pytest.raises(KdEdgeError) as caught:
        read_prompts(path)
    assert words in str(caught.value) + str(caught.value.where)


# --- judging signals ---


def stretch(change=None, *, modality="emg", missing=0) -> Stretch:
    x = np.random.default_rng(2).normal(size=(2000, 4)).astype(np.float32)
    if change is not None:
        change(x)
    return Stretch(modality, ("a", "b", "c", "d"), 1000.0, x, missing)


def hum(x):
    x[:, 1] += 5 * np.sin(2 * np.pi * 50 * np.arange(2000) / 1000)


def clipped(x):
    x[:, 1] = np.clip(3 * x[:, 1], -2, 2)


def still(x):
    x[500:700, 1] = x[500, 1]


def flat(x):
    x[:, 1] = 0.5


def loud(x):
    x[:, 1] *= 100


@pytest.mark.parametrize(
    ("change", "kind"),
    [(hum, "hum"), (clipped, "saturation"), (still, "dropout"), (flat, "off"), (loud, "off")],
)
def test_each_fault_is_told_of_its_channel_alone(change, kind):
    """Oracle: the fault that was put into channel b of noise, which has none."""
    assert faults_of([stretch()], mains_hz=50.0) == ()
    (fault,) = faults_of([stretch(change)], mains_hz=50.0)
    assert (fault.kind, fault.channel) == (kind, "b")
    assert fault.hint


def test_lost_samples_are_a_dropout_and_hum_of_the_other_mains_is_none():
    (fault,) = faults_of([stretch(missing=200)], mains_hz=50.0)
    assert (fault.kind, fault.what) == ("dropout", "9.1 % of the samples were lost")
    assert faults_of([stretch(hum, modality="acc")], mains_hz=50.0) == ()
    assert faults_of([stretch(hum)], mains_hz=60.0) == ()


def test_the_command_records_what_build_reads(tmp_path, capsys, monkeypatch):
    """Of a replayed recording, so fast that it takes a second. Oracle: the folder's reader."""
    monkeypatch.setattr(prompted, "GRACE_S", 60.0)  # a loaded machine may stand still
    record = muscles(seconds=40.0)
    entries = {}
    for s in record.streams:
        key = s.modality
        entries |= {key: s.samples, f"{key}.rate_hz": s.rate_hz, f"{key}.channels": s.channels}
    np.savez(tmp_path / "r.npz", **entries)
    (tmp_path / "signs.txt").write_text("house\ntree  # in the garden\n", encoding="utf-8")
    out = tmp_path / "out"
    command = [
        "record", "--source", f"file://{tmp_path / 'r.npz'}", "--subject", "S1",
        "--prompts", str(tmp_path / "signs.txt"), "--out", str(out), "--repetitions", "1",
        "--ready", "0", "--seconds", "0.6", "--rest", "0", "--session", "day 1",
    ]  # fmt: skip
    assert run(command) == 0
    assert sorted((r.label, r.trial, r.subject) for r in read(out)) == [
        ("house", 1, "S1"), ("tree", 1, "S1"),
    ]  # fmt: skip
    assert "2 of 2 recorded" in capsys.readouterr().out
    assert run(command) == 0
    assert "already" in capsys.readouterr().out
