"""Recipes and JSON files that a disk, an editor or an attacker has damaged: an error, and no harm.

Oracle of every test here: the command's own exit status, which is never that of a defect; the files
around the folder, which stay; and an alarm, which ends what hangs. `KD_EDGE_FUZZ=10000` tries so
many of each kind; the figures stand in docs/reliability.md.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import signal
import sys
from pathlib import Path

import pytest
from build_samples import RECIPE
from bundle_samples import sample_bundle, short_report, write_as_built
from live_samples import FACTS, samples_of
from mutations import mutated_bytes, mutated_json, mutated_tree
from rich.console import Console

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.export import build_files, write_export
from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli import run
from kd_edge.frontend import design_stream
from kd_edge.live.recorder import Recorder
from kd_edge.pipeline.bundle import MANIFEST_FILE, REPORT_FILE
from kd_edge.pipeline.dataset import check_reader
from kd_edge.pipeline.stages import STATE_FILE, Stages
from kd_edge.pipeline.store import Store
from kd_edge.recipe import parse_recipe, to_toml
from kd_edge.report.baseline import compare, print_changes
from kd_edge.report.json import from_json, to_json
from kd_edge.report.table import print_table

CASES = int(os.environ.get("KD_EDGE_FUZZ", "40"))
LONGEST_S = 60
AS_A_DEFECT = ExitStatus.INTERNAL


class Hangs(BaseException):
    """A case took over a minute of processor time; the suite's own bound ends one that waits."""


@contextlib.contextmanager
def ends():
    """What runs within is ended after a minute of processor time."""

    def end(*_):
        raise Hangs

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class Place:
    """A folder with neighbours that nothing may touch."""

    def __init__(self, tmp_path: Path):
        self.outside = tmp_path / "outside"
        self.folder = self.outside / "work"
        self.folder.mkdir(parents=True)
        for name in ("x", "keep.txt", "passwd"):
            (self.outside / name).write_text("precious")
        (self.outside / "facts.json").write_text("{}")
        (self.outside / "0.counts").write_text("precious")
        self.before = self.around()

    def around(self) -> dict[str, str]:
        return {p.name: p.read_text() for p in self.outside.iterdir() if p.is_file()}

    def fresh(self) -> Path:
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        return self.folder

    def check(self) -> None:
        assert self.around() == self.before


def cases(kind: str, count: int = CASES):
    """Random generators, one a case; a failure's message names the seed."""
    for seed in range(count):
        yield seed, random.Random(f"{kind} {seed}")


def check_told(error: KdEdgeError, seed: int) -> None:
    """A user's error: what, and what to do."""
    assert error.exit_status != AS_A_DEFECT, seed
    assert error.hint, seed


def quiet(arguments: list) -> int:
    """The status of a command whose output is thrown away."""
    sink = io.StringIO()
    with ends(), contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        status = run([str(argument) for argument in arguments])
    assert status != AS_A_DEFECT, sink.getvalue()
    return status


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_a_damaged_recipe_is_an_error_or_a_recipe_that_reads_back():
    """Oracle: what is accepted reads back equal, and its front ends have numbers or an error."""
    whole = RECIPE.encode()
    accepted = 0
    for seed, rng in cases("recipe"):
        content = mutated_recipe(rng, whole)
        try:
            with ends():
                recipe = parse_recipe(content.decode("utf-8", "replace"))
                assert parse_recipe(to_toml(recipe)) == recipe, seed
                check_reader(recipe)
                for name, settings in recipe.front_end.items():
                    design_stream(name, settings, channels=("a",), source_rate_hz=1111.11)
            accepted += 1
        except KdEdgeError as error:
            check_told(error, seed)
    assert 0 < accepted < CASES


def mutated_recipe(rng: random.Random, content: bytes) -> bytes:
    """Damaged text, or a whole TOML file that says something else."""
    import tomllib

    import tomli_w

    if rng.random() < 0.5:
        return mutated_bytes(rng, content)
    tree = mutated_tree(rng, tomllib.loads(content.decode()))
    with contextlib.suppress(TypeError, ValueError, AttributeError):  # TOML has no such value
        return tomli_w.dumps(tree).encode("utf-8", "replace")
    return mutated_bytes(rng, content)


@pytest.mark.parametrize("name", [MANIFEST_FILE, REPORT_FILE])
def test_a_damaged_bundle_is_refused_or_makes_firmware(place, tmp_path, name):
    whole = sample_bundle(tmp_path / "whole")
    content = (whole / name).read_bytes()
    done = []
    for _, rng in cases(name):
        bundle = place.fresh() / "bundle"
        shutil.copytree(whole, bundle)
        damaged = mutated_json(rng, content)
        if name == MANIFEST_FILE:
            (bundle / name).write_bytes(damaged)
        else:
            write_as_built(bundle, name, damaged)
        out = place.folder / "fw"
        done.append(quiet(["firmware", bundle, "--board", "qemu-an386", "--out", out]))
        place.check()
    assert ExitStatus.BAD_DATA in done


def test_a_damaged_baseline_is_refused_or_compared():
    """Oracle: no exception but ours; tables are printed of what is accepted."""
    report = short_report()
    content = to_json(report).encode()
    console = Console(file=io.StringIO(), width=100)
    accepted = 0
    for seed, rng in cases("baseline"):
        damaged = mutated_json(rng, content).decode("utf-8", "replace")
        try:
            with ends():
                old = from_json(damaged)
                print_changes(compare(old, report), console)
                print_table(old, console)
            accepted += 1
        except KdEdgeError as error:
            check_told(error, seed)
    assert accepted


def test_damaged_cache_entries_are_made_again_and_touch_nothing_else(place):
    """Damage to an entry's value, to its file, or to both; the work always gives what it gave."""
    for seed, rng in cases("store"):
        root = place.fresh()
        made = []
        for out in (root / "first", root / "second"):
            out.mkdir()

            def make(out=out, made=made):
                made.append(out.name)
                (out / "a.keras").write_bytes(bytes(range(200)))
                return {"parameters": 12, "history": {"loss": [0.5, 0.25]}}

            stages = Stages(out, store=Store(root / "cache"))
            with ends():
                value = stages.run("train a", "key", ["a.keras"], make)
            assert value == {"parameters": 12, "history": {"loss": [0.5, 0.25]}}, seed
            assert (out / "a.keras").read_bytes() == bytes(range(200)), seed
            (entry,) = (p for p in (root / "cache").iterdir() if p.name != "locks")
            for file, damage in (("entry.json", mutated_json), ("0.keras", mutated_bytes)):
                if rng.random() < 0.7:
                    (entry / file).write_bytes(damage(rng, (entry / file).read_bytes()))
        assert made[0] == "first", seed
        place.check()


def test_damaged_state_is_made_again_and_deletes_nothing_else(place):
    def build(folder: Path, *names: str) -> list[int]:
        stages = Stages(folder)
        values = []
        for name in names:
            files = [f"sub/{name}.keras"]

            def make(files=files):
                for file in files:
                    (folder / file).parent.mkdir(exist_ok=True)
                    (folder / file).write_text("content")
                return {"parameters": 12, "history": {"loss": [0.5, 0.25]}}

            values.append(stages.run(f"train {name}", "key", files, make))
        stages.drop_others()
        return values

    for seed, rng in cases("state"):
        folder = place.fresh() / "out"
        folder.mkdir()
        expected = build(folder, "a", "b")
        (folder / "mine.txt").write_text("mine")
        state = folder / STATE_FILE
        state.write_bytes(mutated_json(rng, state.read_bytes()))
        with ends():
            assert build(folder, "b") == expected[:1], seed
        assert (folder / "mine.txt").read_text() == "mine", seed
        place.check()


def test_a_damaged_journal_is_refused_or_recovered_and_nothing_else_is_touched(place, tmp_path):
    recorder = Recorder(tmp_path / "whole.npz", FACTS, label="house")
    for first in range(0, 550, 55):
        recorder.take(samples_of(0, first, 55))
    recorder.take(samples_of(0, 660, 55))
    recorder.take(samples_of(1, 0, 10))
    recorder._journal.close()
    whole = tmp_path / "whole.npz.part"
    done = []
    for seed, rng in cases("journal"):
        part = place.fresh() / "a.npz.part"
        shutil.copytree(whole, part)
        (part / "mine.txt").write_text("mine")
        name = rng.choice(("facts.json", "facts.json", "0.runs"))
        mutate = mutated_json if name == "facts.json" else mutated_bytes
        (part / name).write_bytes(mutate(rng, (part / name).read_bytes()))
        done.append(quiet(["live", "--recover", part]))
        assert (part / "mine.txt").read_text() == "mine", seed
        assert {p.name for p in place.folder.iterdir()} <= {"a.npz", "a.npz.part", "labels.csv"}
        place.check()
    assert {ExitStatus.OK, ExitStatus.BAD_DATA} <= set(done)


@pytest.mark.parametrize("kind", ["project", "plain C"])
def test_a_damaged_manifest_of_an_export_leads_nowhere(place, tmp_path, kind):
    bundle = sample_bundle(tmp_path / "bundle")
    whole = tmp_path / "whole"
    compiled = compile_model(bundle / "tcn-student.int8.tflite", CompileSettings(core="host"))
    files = build_files(compiled, optimize="size")
    if kind == "project":
        quiet(["firmware", bundle, "--board", "nano33ble", "--out", whole])
    else:
        write_export(whole, compiled, files, optimize="size")
    for seed, rng in cases(kind, CASES // 4):
        out = place.fresh() / "out"
        shutil.copytree(whole, out)
        (out / "mine.txt").write_text("mine")
        (out / "manifest.json").write_bytes(mutated_json(rng, (out / "manifest.json").read_bytes()))
        if kind == "project":
            quiet(["flash", out, "--dry-run"])
            quiet(["firmware", bundle, "--board", "nano33ble", "--out", out])
        else:
            with contextlib.suppress(KdEdgeError), ends():
                write_export(out, compiled, dict(list(files.items())[:3]), optimize="size")
        assert (out / "mine.txt").read_text() == "mine", seed
        place.check()


def test_a_json_file_nested_without_end_is_refused():
    """Oracle: Python's own limit of recursion, which is above ours."""
    depth = sys.getrecursionlimit() * 50
    for text in ("[" * depth, '{"a":' * depth, "[" * 500 + "]" * 500):
        with pytest.raises(KdEdgeError) as caught:
            from_json(text)
        assert caught.value.code == "KD_BAD_FORMAT"
    for text in ("a = " + "[" * depth, "a." * depth + "a = 1"):
        with pytest.raises(KdEdgeError) as caught:
            parse_recipe(text)
        assert caught.value.code == "KD_RECIPE_SYNTAX"
    assert json.loads("[]") == []
