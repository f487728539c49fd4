"""kd-edge as a library: a bundle that answers recordings as a board would."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from waiting import BOUND_S

import kd_edge
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import layout_samples, raw_samples
from kd_edge.examples.raw import to_counts
from kd_edge.examples.selecting import Selection
from kd_edge.examples.streaming import step_end
from kd_edge.live.host import Host
from kd_edge.pipeline.boards.bundle_image import load_board_bundle
from kd_edge.pipeline.dataset import read_recordings
from kd_edge.pipeline.loaded import LoadedBundle
from kd_edge.recipe import load_recipe
from kd_edge.signals.simulate.writing import write_signs

pytest.importorskip("tensorflow")


@pytest.fixture(scope="module")
def recordings(bundle):
    """The recordings that the bundle was built on, which its recipe simulates."""
    recipe = load_recipe(bundle / "recipe.toml")
    return read_recordings(recipe, None, progress=lambda *told: None)


def test_a_bundle_answers_the_windows_that_it_keeps_for_boards(bundle, recordings):
    """Oracle: the counts in raw.npz, cut when the bundle was built, on the runtime that boards
    equal bit for bit; every one of them is a window of one of the recordings."""
    product = kd_edge.load(bundle)
    kept = load_board_bundle(bundle)
    host = Host(kept.product, kept.front_end)
    order = [stream.name for stream in host.front_end.streams]
    expected = {bytes(host.answer([counts[name] for name in order])) for counts in kept.raw}
    said = [product.predict(recording) for recording in recordings]
    assert expected
    assert expected <= {bytes(raw) for predictions in said for raw in predictions.raw}
    right = [p.names[0] == r.label for p, r in zip(said, recordings, strict=True)]
    assert np.mean(right) > 0.6
    one = said[0]
    assert (
        one.scores.shape == one.raw.shape == (len(one.start_s), len(product.manifest.class_names))
    )


def test_a_bundle_whose_filters_run_on_answers_a_recording_as_a_stream(bundle, recordings):
    """Oracle: the recording's counts as a host beside a board takes them."""
    kept = load_board_bundle(bundle)
    front_end = dataclasses.replace(kept.front_end, runs_on=True)
    recipe = load_recipe(bundle / "recipe.toml")
    windows = dataclasses.replace(recipe.windows, hop_s=0.4, filters="run-on")
    host = Host(kept.product, front_end)
    product = LoadedBundle(
        dataclasses.replace(kept.manifest, front_end=front_end),
        recipe.model_copy(update={"windows": windows}),
        host,
    )
    longer = [
        dataclasses.replace(s, samples=np.concatenate([s.samples, s.samples[::-1]]))
        for s in recordings[0].streams
    ]
    recording = dataclasses.replace(recordings[0], streams=tuple(longer))
    found = product.predict(recording)
    taken = {s.name: recipe.front_end[s.name] for s in host.front_end.streams}
    samples = Selection(taken, recording).samples(recording)
    counts = {s.name: to_counts(samples[s.name], s.lsb) for s in host.front_end.streams}
    for name, values in counts.items():
        host.streamed.take(name, 0, values)
    steps = {n: layout_samples(i) for i in host.front_end.inputs for n in i.streams}
    lengths = raw_samples(host.front_end)
    assert len(found.raw) == len(found.start_s) > 1
    for start_s, scores in zip(found.start_s, found.raw, strict=True):
        ends = [
            step_end(s, round(start_s * s.rate_hz) + steps[s.name] - 1)
            for s in host.front_end.streams
        ]
        arrays = [
            counts[s.name][max(0, end - lengths[s.name]) : end]
            for s, end in zip(host.front_end.streams, ends, strict=True)
        ]
        said = host.answer_streamed(arrays, ends)
        np.testing.assert_array_equal(said[: len(scores)], scores)


def test_a_recording_of_another_kind_is_refused(bundle, recordings):
    """Oracle: the errors' codes."""
    product = kd_edge.load(bundle)
    first = recordings[0]
    faster = [dataclasses.replace(s, rate_hz=2 * s.rate_hz) for s in first.streams]
    short = [dataclasses.replace(s, samples=s.samples[:20]) for s in first.streams]
    for code, streams in (
        ("KD_RATE_MISMATCH", faster),
        ("KD_CHANNEL_MISSING", first.streams[:1]),
        ("KD_WINDOW_TOO_LONG", short),
    ):
        with pytest.raises(KdEdgeError) as caught:
            product.predict(dataclasses.replace(first, streams=tuple(streams)))
        assert caught.value.code == code


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    """Oracle: the error's code."""
    with pytest.raises(kd_edge.KdEdgeError) as caught:
        kd_edge.load(tmp_path)
    assert caught.value.code == "KD_NO_FILE"


def test_the_page_of_the_library_runs_as_it_stands(bundle, tmp_path, monkeypatch, pytestconfig):
    """Oracle: chance, one of three signs; a person whom training never saw is told better."""
    text = (pytestconfig.rootpath / "docs" / "library.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(bundle, tmp_path / "build" / "demo")
    one = kd_edge.SignSettings(n_signs=1, n_subjects=1, n_repetitions=1, n_sensors=1)
    write_signs(one, tmp_path / "recordings")
    names: dict = {}
    for block in blocks:
        code = compile(block, "docs/library.md", "exec")
        # Seeds of a whole recipe: tests of trials and fleets have smaller ones.
        if not {"train_and_score", "train_fleet"} & set(code.co_names):
            exec(code, names)
    assert len(blocks) == 5
    assert names["theirs"].name == "theirs"
    assert names["figure"].interval.low > 1 / 3
    assert set(names["said"].names) <= set(names["product"].manifest.class_names)


def test_a_name_that_the_library_lacks_is_an_error_as_any_other():
    """Oracle: Python's own words."""
    assert set(kd_edge._PUBLIC) < set(dir(kd_edge))
    with pytest.raises(AttributeError, match="no attribute 'loda'"):
        _ = kd_edge.loda


def test_importing_the_package_imports_nothing_heavy():
    """Oracle: the interpreter's own list of loaded modules, in a fresh process."""
    code = "import sys, kd_edge; print(*{m.split('.')[0] for m in sys.modules})"
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=BOUND_S
    )
    loaded = child.stdout.split()
    assert "kd_edge" in loaded
    assert not {"numpy", "scipy", "pandas", "tensorflow", "keras", "pydantic"} & set(loaded)
