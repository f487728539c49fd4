"""Stages: work is done again only when what it reads has changed."""

from __future__ import annotations

import json

import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import sha256_text
from kd_edge.pipeline import stages as staging
from kd_edge.pipeline.stages import Stages, key_of


class Work:
    """A stage that counts how often it really ran."""

    def __init__(self, folder):
        self.folder = folder
        self.runs = 0

    def run(self, key="k", report=None):
        def make():
            self.runs += 1
            (self.folder / "model.bin").write_bytes(b"model")
            return {"accuracy": 0.5}

        return Stages(self.folder, report=report).run("train", key, ["model.bin"], make)


@pytest.fixture
def work(tmp_path):
    return Work(tmp_path)


def test_a_second_run_with_the_same_key_returns_the_remembered_value(work):
    told = []
    assert work.run() == work.run(report=lambda name, cached: told.append((name, cached)))
    assert work.runs == 1
    assert told == [("train", True)]


@pytest.mark.parametrize("spoil", ["key", "missing", "altered", "state"])
def test_a_stage_runs_again_when_anything_that_it_rests_on_changed(work, spoil):
    work.run()
    if spoil == "missing":
        (work.folder / "model.bin").unlink()
    if spoil == "altered":
        (work.folder / "model.bin").write_bytes(b"other")
    if spoil == "state":
        (work.folder / ".stages.json").write_text("{ half")
    work.run("other" if spoil == "key" else "k")
    assert work.runs == 2


def test_a_stage_runs_again_when_its_code_changed(work, monkeypatch):
    """Oracle: the digest of the module of `make`, which here is this file."""
    asked, found = [], iter(["old", "old", "mended"])

    def digest(module):
        asked.append(module)
        return next(found)

    monkeypatch.setattr("kd_edge.pipeline.stages.code_digest", digest)
    for runs in (1, 1, 2):
        work.run()
        assert work.runs == runs
    assert set(asked) == {__name__}


def test_a_stage_that_fails_is_not_remembered(tmp_path):
    def fail():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        Stages(tmp_path).run("train", "k", [], fail)
    assert Stages(tmp_path).run("train", "k", [], lambda: 1) == 1


def test_stages_that_ended_before_an_interruption_are_kept(tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    stages = Stages(tmp_path)
    stages.run("first", "k", [], lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        stages.run("second", "k", [], interrupt)
    assert list(json.loads((tmp_path / ".stages.json").read_text())) == ["first"]


def test_a_key_depends_on_every_part_and_not_on_the_order_of_a_table():
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert key_of("x", 1) != key_of("x", 2)


def build(folder, *names):
    """A build whose stages each write a file of their own and one that all share."""
    stages = Stages(folder)
    for name in names:
        files = [f"{name}.keras", "shared.npz"]

        def make(files=files):
            for file in files:
                (folder / file).write_text("content")

        stages.run(f"train {name}", "k", files, make)
    stages.drop_others()
    return stages


def test_files_that_only_stages_of_another_recipe_wrote_are_deleted(tmp_path):
    """Oracle: the first build asks for a and b, the second for b alone."""
    build(tmp_path, "a", "b")
    (tmp_path / "mine.txt").write_text("not a stage's")
    stages = build(tmp_path, "b")
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {"b.keras", "shared.npz", "mine.txt", ".stages.json"}
    assert set(stages.files) == {"b.keras", "shared.npz"}


def test_a_kept_value_is_recalled_under_its_key_alone(tmp_path):
    Stages(tmp_path).keep("refusal", "k", "the converter says no")
    assert Stages(tmp_path).recall("refusal", "k") == "the converter says no"
    assert Stages(tmp_path).recall("refusal", "other") is None
    assert Stages(tmp_path).recall("nothing", "k") is None


def crafted(folder, files):
    """A state file as kd-edge writes it, of a stage that wrote these files."""
    entry = {"key": "k", "files": files, "value": None}
    entry["sha256"] = staging._digest("train a", entry)
    (folder / ".stages.json").write_text(json.dumps({"train a": entry}))


def test_a_state_file_cannot_lead_to_files_outside_of_its_folder(tmp_path):
    """Oracle: the files around, with digests that fit."""
    folder, precious = tmp_path / "out", tmp_path / "precious"
    folder.mkdir()
    precious.write_text("precious")
    (folder / "link").symlink_to(tmp_path)
    names = ("../precious", str(precious), "link/precious", "sub/../../precious")
    for name in names:
        crafted(folder, {name: sha256_text("precious")})
        Stages(folder).drop_others()
        assert precious.read_text() == "precious"


def test_a_file_that_is_no_longer_what_its_stage_wrote_is_kept(tmp_path):
    build(tmp_path, "a", "b")
    (tmp_path / "a.keras").write_text("mine now")
    build(tmp_path, "b")
    assert (tmp_path / "a.keras").read_text() == "mine now"


def test_a_stage_does_not_write_through_a_link(tmp_path):
    folder, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "folds").symlink_to(elsewhere)
    with pytest.raises(KdEdgeError, match="symbolic link"):
        Stages(folder).run("train a", "k", ["folds/a.keras"], lambda: 1)
    assert not any(elsewhere.iterdir())


def test_an_altered_value_is_not_believed(tmp_path):
    Stages(tmp_path).run("prove", "k", [], lambda: {2: 0.5, 10: 0.25})
    state = tmp_path / ".stages.json"
    assert Stages(tmp_path).run("prove", "k", [], lambda: "again") == {"2": 0.5, "10": 0.25}
    state.write_text(state.read_text().replace("0.25", "0.99"))
    assert Stages(tmp_path).run("prove", "k", [], lambda: "again") == "again"
