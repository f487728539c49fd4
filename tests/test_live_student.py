"""The student on this machine. Oracle: what `bench` makes of the same recordings."""

from __future__ import annotations

import contextlib
import itertools
import json
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from firmware_export.front_end import model_front_end
from kd_edge.base.front_end import RUN_ON
from kd_edge.cli import run
from kd_edge.examples import as_worn, cut_windows
from kd_edge.examples.raw import from_counts
from kd_edge.link.messages import Answer, Samples
from kd_edge.live import prompted
from kd_edge.live.student import board_streams
from kd_edge.pipeline.boards.bundle_image import load_board_bundle
from kd_edge.pipeline.bundle import load_manifest
from kd_edge.pipeline.dataset import read_recordings
from kd_edge.pipeline.live_student import load_student
from kd_edge.pipeline.other_data import as_built
from kd_edge.pipeline.shipped import shipped
from kd_edge.recipe import load_recipe
from kd_edge.runtimes.composed import open_product
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.registry import ORACLE, RUNTIMES
from kd_edge.signals import read
from kd_edge.signals.npz import read as read_npz

pytest.importorskip("tensorflow")


@pytest.fixture(scope="module")
def recording(bundle, tmp_path_factory):
    """One of the recordings that the bundle was built on, as an NPZ file."""
    path = tmp_path_factory.mktemp("live") / "a recording ü.npz"
    np.savez(path, **entries_of(simulated(bundle)[3]))
    return path


def simulated(bundle):
    recipe = load_recipe(bundle / "recipe.toml")
    return read_recordings(recipe, None, progress=lambda *told: None)


def entries_of(recording) -> dict[str, object]:
    entries = {"label": recording.label, "subject": recording.subject}
    for index, stream in enumerate(recording.streams):
        key = f"s{index}"
        entries |= {
            key: stream.samples, f"{key}.rate_hz": stream.rate_hz, f"{key}.unit": stream.unit,
            f"{key}.modality": stream.modality, f"{key}.channels": np.array(stream.channels),
            f"{key}.start_s": stream.start_s,
        }  # fmt: skip
    return entries


def two_recordings(bundle, folder):
    """One after the other, as an NPZ file."""
    one, two = simulated(bundle)[3:5]
    streams = zip(one.streams, two.streams, strict=True)
    both = [replace(a, samples=np.concatenate([a.samples, b.samples])) for a, b in streams]
    np.savez(folder / "both.npz", **entries_of(replace(one, streams=tuple(both))))
    return folder / "both.npz"


def expected(bundle, path, windows) -> np.ndarray:
    """(n, classes) int8: training's windows, asked as `bench` asks them."""
    manifest = load_manifest(bundle)
    recipe = as_built(load_recipe(bundle / "recipe.toml"), manifest)
    (record,) = read_npz(path)
    record = replace(record, label=manifest.class_names[0])
    cut, _ = cut_windows([record], recipe.front_end, windows, manifest.class_names)
    worn = as_worn(cut, manifest.front_end, [record.info()])
    interpreter = open_product(shipped(bundle, manifest), ORACLE)
    return run_windows(interpreter, worn.only(manifest.product_inputs)).raw


def lines_of(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_live_answers_to_a_replayed_recording_are_those_of_bench(bundle, recording, capsys):
    """The bundle has one window a recording: the first one of the stream is that."""
    source = f"file://{recording}?speed=0"
    assert run(["live", str(bundle), "--source", source, "--json"]) == 0
    lines = lines_of(capsys)
    windows = [line for line in lines if line["event"] == "window"]
    facts, end = lines[0], lines[-1]
    raw = expected(bundle, recording, load_recipe(bundle / "recipe.toml").windows)
    scores = facts["scale"] * (raw[0].astype(float) - facts["zero_point"])
    np.testing.assert_allclose(windows[0]["scores"], scores, atol=1e-4)
    assert (facts["here"], facts["board"]) == (True, "this machine")
    assert end["why"] == f"{recording.name} has ended"
    assert end["figures"]["lost_samples"] == [0] * len(facts["sensors"])
    assert windows[0]["delay_ms"] is not None


def test_windows_of_a_stream_get_the_scores_of_training_bit_for_bit(bundle, tmp_path):
    """Of a bundle whose windows overlap: filters run through the stream, as through a recording."""
    from kd_edge.live.sources import open_source
    from kd_edge.live.student import Cutting

    recording = two_recordings(bundle, tmp_path)
    windows = replace(load_recipe(bundle / "recipe.toml").windows, hop_s=0.05)
    student = load_student(bundle)
    student = replace(student, cutting=Cutting(start_s=0.0, hop_s=0.05, anew=False))
    with open_source(f"file://{recording}?speed=0") as source:
        streamer, _ = student.student(source, "", in_order=False)
        events = list(streamer.stream(windows=0, keep_state=False))
    found = [event.answer for event in events if hasattr(event, "answer")]
    raw = expected(bundle, recording, windows)
    assert len(raw) > 1
    assert [answer.index for answer in found] == list(range(len(raw)))
    np.testing.assert_array_equal([answer.scores for answer in found], raw)
    assert all(answer.decision is not None for answer in found)


def test_what_a_source_gives_is_recorded_as_it_came(bundle, recording, tmp_path, capsys):
    """Oracle: the recording that is replayed, sample by sample."""
    out = tmp_path / "kept.npz"
    source = f"file://{recording}?speed=0"
    assert run(["live", str(bundle), "--source", source, "--events", "--record", str(out)]) == 0
    (before,), (after,) = read_npz(recording), read_npz(out)
    front_end = load_manifest(bundle).front_end
    for constants, kept in zip(front_end.streams, after.streams, strict=True):
        given = {
            name: stream.samples[:, i]
            for stream in before.streams
            for i, name in enumerate(stream.channels)
        }
        assert (kept.modality, kept.channels) == (constants.name, constants.channels)
        for i, name in enumerate(kept.channels):
            np.testing.assert_array_equal(kept.samples[:, i], given[name][: kept.n_samples])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--source", "file://x.npz", "--board", "host"], "no --board beside"),
        (["--source", "file://x.npz", "--port", "/dev/none"], "no port /dev/none"),
        (["--source", "file://x.npz", "--plain", "--events"], "take one"),
        (["--source", "file://no such.npz"], "no such.npz"),
    ],
)
def test_what_does_not_fit_together_is_refused(bundle, options, words, capsys):
    assert run(["live", str(bundle), *options]) in (2, 3, 5)
    assert words in capsys.readouterr().err


def test_a_wearer_performs_every_sign_and_gets_a_layer_of_their_own(bundle, tmp_path, monkeypatch):
    """Oracle: the folder's reader, and the bundle's own classes and channels."""
    made = simulated(bundle)[:16]
    whole = [
        replace(streams[0], samples=np.concatenate([s.samples for s in streams]))
        for streams in zip(*(recording.streams for recording in made), strict=True)
    ]
    np.savez(tmp_path / "long.npz", **entries_of(replace(made[0], streams=tuple(whole))))
    at_once = partial(prompted.Timing, ready_s=0.0, rest_s=0.0)
    monkeypatch.setattr(prompted, "Timing", at_once)
    monkeypatch.setattr(prompted, "GRACE_S", 60.0)  # a loaded machine may stand still
    command = ["personalise", str(bundle), "--source", f"file://{tmp_path / 'long.npz'}?speed=0"]
    more = ["--subject", "ann", "--repetitions", "1", "--out", str(tmp_path / "ann"), "--anyway"]
    assert run([*command, *more]) == 0
    manifest = load_manifest(bundle)
    recordings = read(tmp_path / "ann-recordings")
    assert sorted(r.label for r in recordings) == sorted(manifest.class_names)
    channels = [(s.name, s.channels) for s in manifest.front_end.streams]
    assert all([(s.modality, s.channels) for s in r.streams] == channels for r in recordings)
    assert load_manifest(tmp_path / "ann").class_names == manifest.class_names


def test_a_board_that_runs_the_bundle_is_a_source_for_live_and_for_a_wearer(
    bundle, tmp_path, monkeypatch, capsys
):
    """Oracle: what the board plays, the bundle's own windows, in its names and units."""
    board = load_board_bundle(bundle)
    streams = board.front_end.streams
    ports = SimpleNamespace(open=lambda url, **asked: device_of(board, url, asked["model_sha256"]))
    monkeypatch.setattr("kd_edge.live.sources.board.Device", ports)
    monkeypatch.setattr(prompted, "Timing", partial(prompted.Timing, ready_s=0.0, rest_s=0.0))
    monkeypatch.setattr(prompted, "GRACE_S", 60.0)  # a loaded machine may stand still
    assert run(["live", str(bundle), "--source", "COM3", "--json", "--windows", "2"]) == 0
    facts, *windows, end = lines_of(capsys)
    assert [s["unit"] for s in facts["sensors"]] == [s.unit for s in streams]
    assert len(windows) == end["figures"]["windows"] == 2
    signs = ["personalise", str(bundle), "--subject", "ann", "--repetitions", "1", "--anyway"]
    assert run([*signs, "--source", "COM3", "--out", str(tmp_path / "ann")]) == 0
    recordings = read(tmp_path / "ann-recordings")
    assert sorted(r.label for r in recordings) == sorted(board.manifest.class_names)
    for recording in recordings:
        for constants, kept in zip(streams, recording.streams, strict=True):
            assert (kept.modality, kept.channels) == (constants.name, constants.channels)
            assert (kept.unit, kept.lsb) == (constants.unit, constants.lsb)
            loop = from_counts(played(board, constants.name), constants.lsb)
            begins = np.flatnonzero((loop == kept.samples[0]).all(axis=1))
            turned = (np.roll(loop, -begin, axis=0)[: kept.n_samples] for begin in begins)
            assert any(np.array_equal(each, kept.samples) for each in turned)


def test_a_board_is_shown_beside_the_student_for_a_source(bundle, tmp_path, monkeypatch, capsys):
    """A board that answers as the bundle's model does, but for the second of its windows."""
    board, second = load_board_bundle(bundle), load_student(bundle).host
    asked = []

    def run_many(windows, *, keep_state, begins):
        (inputs,) = windows
        asked.append(begins(0))
        scores = second.answer_quantised(inputs, keep_state=keep_state)
        scores[len(asked) % len(scores)] ^= len(asked) == 2
        decision = second.decide(scores)
        yield Answer(0, scores, 5, 0, 7, decision=decision)

    def opened(url, *, model_sha256, **_):
        made = device_of(board, url, model_sha256)
        made.run_many, made.statistics = run_many, SimpleNamespace(dropped=0)
        return contextlib.nullcontext(made)

    monkeypatch.setattr("kd_edge.link.device.Device", SimpleNamespace(open=opened))
    source = f"file://{two_recordings(bundle, tmp_path)}?speed=0"
    more = ["--hop", "0.5", "--json"]
    assert run(["live", str(bundle), "--source", source, "--port", "COM3", *more]) == 0
    facts, *windows, end = lines_of(capsys)
    assert (facts["board"], facts["host"]) == ("a board", RUNTIMES[ORACLE].title)
    assert facts["here"] is False
    assert asked == [True] + [False] * (len(windows) - 1)
    assert len(windows) > 2
    figures = end["figures"]
    assert figures["compared"] == figures["windows"] == len(windows)
    assert (figures["differing"], figures["largest_steps"]) == ([1], 1)
    assert figures["same_scores"] == len(windows) - 1
    assert figures["decisions_compared"] == len(windows)
    assert windows[0]["decision"]["same"] is True


def played(board, name: str) -> np.ndarray:
    return np.concatenate([window[name] for window in board.raw])


def device_of(board, url: str, model_sha256: str):
    """A board that runs a bundle and plays its windows over and over, as fast as they are taken."""
    assert model_sha256 == board.model_sha256
    front_end = model_front_end(board.front_end, board.product.inputs)
    n_classes = len(board.manifest.class_names)
    scores = SimpleNamespace(n_bytes=n_classes, scale=1.0, zero_point=0)
    hello = SimpleNamespace(
        board="a board", core="m4", engine="aot", firmware="0.1.0", clock_hz=1, ticks_kind="cycles",
        model_sha256=model_sha256, streams=board_streams(front_end), outputs=(scores,),
        filters=RUN_ON if front_end.runs_on else "", decides=True,
    )  # fmt: skip

    def stream(beat_s):
        for beat in itertools.count():
            yield None
            for index, sensor in enumerate(hello.streams):
                first, end = (int((beat + k) * 0.05 * sensor.rate) for k in (0, 1))
                loop = played(board, sensor.name)
                counts = loop[np.arange(first, end) % len(loop)]
                yield Samples(index, first, 0, counts)

    return SimpleNamespace(hello=hello, name=url, stream=stream, close=lambda: None)


def test_a_wearer_must_have_a_name_and_one_kind_of_data(bundle, capsys):
    for options in ([], ["--source", "file://x", "--data", "y"], ["--source", "file://x"]):
        assert run(["personalise", str(bundle), *options]) == 2
        assert "--" in capsys.readouterr().err
