"""Sweeps on Ray's workers: the figures of one process, whatever dies meanwhile.

Real clusters of this machine. They take a minute: Ray's processes and TensorFlow start slowly.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import uuid
from pathlib import Path

import pytest
from build_samples import RECIPE
from waiting import ended, program, wait_until

pytest.importorskip("tensorflow")
pytest.importorskip("optuna")
pytest.importorskip("ray")

from sweep_samples import Told, recipe_file

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli import run as kd_edge_command
from kd_edge.pipeline.inside import Inside
from kd_edge.pipeline.trial import train_and_score
from kd_edge.recipe import load_search, with_values
from kd_edge.signals.simulate import SignSettings
from kd_edge.signals.simulate.writing import write_signs
from kd_edge.trials.executors import HereExecutor
from kd_edge.trials.job import Job
from kd_edge.trials.on_ray import on_cluster, on_this_machine
from kd_edge.trials.parcel import pack, recordings_folder, unpack

STUDENT = """
[[students]]
name = "student"
model = "tcn"
options = { blocks = 1, width = 8 }
distill = false
epochs = 1
batch_size = 16
learning_rate = 0.01
"""
SMALL = RECIPE[: RECIPE.index("[[teachers]]")] + STUDENT + RECIPE[RECIPE.index("[conversion]") :]
SPACE = """
[search]
trials = 2
seeds = 2
sampler = "random"
pruner = "none"
score = { kind = "leave-one-subject-out", held_out = "each" }
[search.space]
"students.0.learning_rate" = { low = 0.001, high = 0.1, log = true }
"""
MARK = "KD_EDGE_TESTS_MARK"
# Seconds: TensorFlow starts three times, and once more after the kill.
BOUND_S = 1000.0


def marked(mark: str) -> dict[int, str]:
    """Processes whose environment bears a mark -> their command lines."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(folder.name)] = command
        except OSError:  # it has ended, or is another user's
            continue
    return found


@pytest.mark.slow
def test_trials_folds_and_seeds_on_two_workers_have_the_figures_of_one_process(
    tmp_path, monkeypatch
):
    """Oracle: the same jobs without a cluster; neither takes a model from a cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recipe, asked = load_search(recipe_file(tmp_path, SPACE, SMALL))
    slow = with_values(recipe, {"students.0.learning_rate": 0.001})
    jobs = [
        Job(f"{name} {who} {seed}", one, seed, inside=Inside(asked.score, who), judged="student")
        for name, one, who, seed in (
            ("fast", recipe, "S1", 1),
            ("fast", recipe, "S2", 2),
            ("slow", slow, "S1", 2),
            ("slow", slow, "S2", 1),
        )
    ]

    def found(executor):
        outcomes, judged, left = {}, set(), iter(jobs)

        def judge(job, epoch, value):
            judged.add((job.name, epoch, value))
            return False

        def done(job, outcome):
            assert outcome.error is None
            outcomes[job.name] = outcome.trial

        executor.run(lambda: next(left, None), judge=judge, done=done)
        return outcomes, judged

    alone = found(HereExecutor(None, cache=False))
    with on_this_machine(2, None, cache=False, watch=Told()) as executor:
        together = found(executor)
    assert together == alone
    assert len(set(alone[0])) == len(alone[1]) == 4


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_sweep_survives_the_kill_of_a_worker_and_leaves_no_process(tmp_path):
    """Oracle: the exit status, the trials' outcomes, and the system's list of processes."""
    space = "[search]\ntrials = 3\n" + SPACE[SPACE.index("[search.space]") :]
    path = recipe_file(tmp_path, space, SMALL)
    mark, log = uuid.uuid4().hex, tmp_path / "log.txt"
    environment = {**os.environ, MARK: mark, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    out = tmp_path / "out"
    command = [sys.executable, "-m", "kd_edge", "search", path, "--out", out, "--workers", "2"]

    def at_work():
        found = [pid for pid, said in marked(mark).items() if said.startswith("ray::kd-edge trial")]
        return found or process.poll() is not None

    with (
        log.open("wb") as stream,
        program(
            command,
            "a search on two workers",
            bound_s=BOUND_S,
            env=environment,
            stdout=stream,
            stderr=stream,
        ) as process,
    ):
        victims = wait_until(at_work, "a worker that trains", bound_s=BOUND_S)
        assert isinstance(victims, list), log.read_text()
        os.kill(victims[0], signal.SIGKILL)
        status = ended(process, "the search after the kill", bound_s=BOUND_S)
        assert status == ExitStatus.OK, log.read_text()
        wait_until(lambda: not marked(mark), "the end of the cluster's processes")
    trials = json.loads((out / "search.json").read_text())["trials"]
    assert [trial["state"] for trial in trials] == ["complete"] * 3
    assert all(len(trial["scores"]) == 1 for trial in trials)


def test_workers_here_and_of_a_cluster_are_bad_usage(tmp_path, capsys):
    path = recipe_file(tmp_path, SPACE, SMALL)
    status = kd_edge_command(["search", str(path), "--ray", "127.0.0.1:1", "--workers", "2"])
    assert status == ExitStatus.USAGE
    assert "give one of them" in capsys.readouterr().err


@pytest.mark.slow
def test_recordings_reach_a_machine_of_a_cluster_that_does_not_have_them(tmp_path, monkeypatch):
    """Oracle: the same training here; and what the other node wrote into its cache.

    Two nodes of Ray's own kind for tests: they share this machine, and nothing in their stores.
    """
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = tmp_path / "signs"
    write_signs(SignSettings(n_signs=3, n_subjects=3, n_repetitions=4, n_sensors=1), data)
    source = SMALL[SMALL.index("[dataset]") : SMALL.index("[front_end.emg]")]
    recipe, _ = load_search(
        recipe_file(tmp_path, SPACE, SMALL.replace(source, '[dataset]\nreader = "folder"\n'))
    )
    left = iter([Job("one", recipe, 1, inside=Inside())])
    outcomes = []
    with contextlib.closing(contextlib.ExitStack()) as stack:
        cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
        )
        stack.callback(cluster.shutdown)
        cluster.add_node(num_cpus=1)
        told = Told()
        with on_cluster(cluster.address, data, cache=False, watch=told) as executor:
            executor.run(
                lambda: next(left, None),
                judge=lambda *said: False,
                done=lambda job, outcome: outcomes.append(outcome),
            )
    (outcome,) = outcomes
    assert outcome.error is None
    (arrived,) = [folder for folder in recordings_folder().iterdir() if folder.is_dir()]
    assert held(arrived) == held(data)
    assert any("of recordings" in note for note in told.notes)
    assert outcome.trial == train_and_score(recipe, data=data, inside=Inside(), cache=False)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("127.0.0.1:1", "KD_CLUSTER"),
        ("127.0.0.1:99999999", "KD_CLUSTER"),
        ("127.0.0.1", "KD_USAGE"),
        ("ray://127.0.0.1:10001", "KD_USAGE"),
    ],
)
def test_no_cluster_at_an_address_is_told(address, code):
    """Oracle: a port of this machine that nobody listens on."""
    nowhere = on_cluster(address, None, cache=False, watch=Told())
    with pytest.raises(KdEdgeError) as caught, nowhere:
        pass
    assert caught.value.code == code


# --- what travels ---


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """A folder of three files, two of which hold the same; the cache is this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "recordings"
    (folder / "a").mkdir(parents=True)
    for name, content in (("labels.csv", b"x"), ("a/1.csv", b"same"), ("a/2.csv", b"same")):
        (folder / name).write_bytes(content)
    return folder


def held(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_recordings_arrive_as_they_were_sent_and_each_content_once(recordings):
    """Oracle: the folder itself, and what was kept and fetched."""
    kept, fetched = [], []
    parcel = pack(recordings, lambda content: kept.append(content) or len(kept) - 1)
    assert sorted(kept) == [b"same", b"x"]
    fetch = lambda at: fetched.append(at) or kept[at]  # noqa: E731
    there = unpack(parcel, fetch)
    assert held(there) == held(recordings)
    assert there.parent == recordings_folder()
    fetched.clear()
    assert unpack(parcel, fetch) == there
    assert fetched == []
    (there / "labels.csv").write_bytes(b"altered")
    assert held(unpack(parcel, fetch)) == held(recordings)


def test_emptying_the_cache_takes_them_away(recordings, capsys):
    unpack(pack(recordings, bytes), bytes)
    assert kd_edge_command(["doctor", "--clear-cache", "--json"]) == ExitStatus.OK
    assert not recordings_folder().exists()
    assert held(recordings)


def test_one_file_travels_as_a_file(recordings):
    parcel = pack(recordings / "labels.csv", bytes)
    there = unpack(parcel, bytes)
    assert (there.name, there.read_bytes()) == ("labels.csv", b"x")


def test_what_is_not_what_was_sent_is_refused_and_leaves_nothing(recordings):
    parcel = pack(recordings, bytes)
    with pytest.raises(KdEdgeError) as caught:
        unpack(parcel, lambda content: content + b"!")
    assert caught.value.code == "KD_BAD_SAMPLES"
    assert not [p for p in recordings_folder().rglob("*") if p.is_file()]
    parcel.files["../outside.csv"] = parcel.files["labels.csv"]
    with pytest.raises(KdEdgeError):
        unpack(parcel, bytes)
    assert not (recordings_folder().parent / "outside.csv").exists()


def test_recordings_that_are_not_there_are_told(tmp_path):
    with pytest.raises(KdEdgeError) as caught:
        pack(tmp_path / "none", bytes)
    assert caught.value.code == "KD_NO_FILE"
