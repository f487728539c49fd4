"""The store of all builds of a user: taken whole or not at all, bounded, one maker at a time.

Oracle: what the work itself wrote, and how often it was done.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import ended, program

from kd_edge.base.errors import KdEdgeError
from kd_edge.pipeline.stages import Stages, key_of
from kd_edge.pipeline.store import MOST_GB, Store, most_bytes, user_store

BLOCK = 4096  # what a small file takes
CONTENT = b"weights"


class Work:
    """A stage in any number of folders, which counts how often it was really done."""

    def __init__(self, root: Path, **store):
        self.root = root
        self.runs = 0
        self.notes: list[str] = []
        self.store = Store(root / "cache", note=self.notes.append, **store)

    def run(self, folder: str, key: str = "k", *, file: str = "model.keras", store=None):
        out = self.root / folder
        out.mkdir(exist_ok=True)

        def make():
            self.runs += 1
            path = out / file
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(CONTENT)
            return {"accuracy": 0.5}

        stages = Stages(out, store=store or self.store)
        assert stages.run(f"train {file}", key, [file], make) == {"accuracy": 0.5}
        assert (out / file).read_bytes() == CONTENT
        return self.runs

    def entries(self) -> list[Path]:
        return sorted(p for p in (self.root / "cache").iterdir() if p.name != "locks")


@pytest.fixture
def work(tmp_path):
    return Work(tmp_path)


def test_a_second_folder_takes_what_the_first_has_made(work):
    assert work.run("a") == 1
    assert work.run("b") == 1
    assert work.run("b", "another key") == 2
    assert not list((work.root / "cache" / "locks").iterdir())


def test_a_file_may_have_another_name_in_another_folder(work):
    """The same fold is the first of one build, and in folds/ of the other."""
    work.run("a", file="student.keras")
    assert work.run("b", file="folds/S2/student.keras") == 1


def test_the_same_key_of_other_work_is_another_entry(work, tmp_path):
    """Oracle: two functions of one module, which both read the same."""
    work.run("a")
    other = Stages(tmp_path / "a", store=work.store)
    assert other.run("convert", "k", [], lambda: "another value") == "another value"
    assert len(work.entries()) == 2


def test_a_bundle_does_not_change_when_the_cache_does(work):
    work.run("a")
    work.run("b")
    (entry,) = work.entries()
    (entry / "0.keras").write_bytes(b"spoiled")
    assert (work.root / "a" / "model.keras").read_bytes() == CONTENT
    assert (work.root / "b" / "model.keras").read_bytes() == CONTENT


def replaced(make):
    def spoil(entry: Path, precious: Path) -> None:
        place = entry / "0.keras"
        place.unlink()
        make(place, precious)

    return spoil


def spoil_link(entry: Path, precious: Path) -> None:
    entry.rename(precious / "entry")
    entry.symlink_to(precious / "entry")


def spoil_value(entry: Path, precious: Path) -> None:
    text = (entry / "entry.json").read_text()
    (entry / "entry.json").write_text(text.replace("0.5", "0.9"))


SPOILS = {
    "altered": lambda entry, precious: (entry / "0.keras").write_bytes(b"Weights"),
    "cut short": lambda entry, precious: (entry / "0.keras").write_bytes(CONTENT[:3]),
    "file missing": lambda entry, precious: (entry / "0.keras").unlink(),
    "value": spoil_value,
    "half": lambda entry, precious: (entry / "entry.json").write_text('{"key": "'),
    "a list": lambda entry, precious: (entry / "entry.json").write_text("[1]"),
    "no entry": lambda entry, precious: (entry / "entry.json").unlink(),
    "one more": lambda entry, precious: (entry / "1.keras").write_bytes(b""),
    "link": replaced(lambda place, precious: place.symlink_to(precious / "file")),
    "dangling": replaced(lambda place, precious: place.symlink_to(precious / "nothing")),
    "pipe": replaced(lambda place, precious: os.mkfifo(place)),
    "linked": spoil_link,
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_an_entry_that_is_not_whole_is_made_again(work, spoil):
    """Oracle: the count of runs; nothing that a link points to is touched; then it is whole."""
    precious = work.root / "precious"
    precious.mkdir()
    (precious / "file").write_bytes(CONTENT)
    work.run("a")
    SPOILS[spoil](work.entries()[0], precious)
    before = {path.name for path in precious.rglob("*")}
    assert work.run("b") == 2
    assert work.run("c") == 2
    assert {path.name for path in precious.rglob("*")} == before
    assert (precious / "file").read_bytes() == CONTENT
    assert not work.notes


def test_a_strangers_file_in_an_entry_is_left_alone(work):
    """Oracle: the file; the work is done again, and said not to be kept."""
    work.run("a")
    (work.entries()[0] / "notes.txt").write_text("mine")
    assert work.run("b") == 2
    assert (work.entries()[0] / "notes.txt").read_text() == "mine"
    assert [note for note in work.notes if "cannot keep" in note]


def put(store: Store, name: str, age_s: int) -> Path:
    """An entry of two blocks that was last used so long ago."""
    with store.at(key_of(name), name) as slot:
        slot.keep(name, lambda folder: (folder / "0.npz").write_bytes(CONTENT))
    place = store.place(key_of(name))
    os.utime(place, (1e9 - age_s, 1e9 - age_s))
    return place


def test_what_was_used_longest_ago_goes_first_and_never_what_is_in_use(tmp_path):
    """Oracle: room for two entries, and times set by hand."""
    store = Store(tmp_path, most_bytes=4 * BLOCK)
    a, b = put(store, "a", 300), put(store, "b", 200)
    with store.at(key_of("a"), "a") as slot:
        assert slot.take(lambda entry: entry.value) == "a"  # b is the older one now
    c = put(store, "c", 100)
    assert [a.exists(), b.exists(), c.exists()] == [True, False, True]
    os.utime(a, (1, 1))
    with store.at(key_of("a"), "a"):
        d = put(store, "d", 0)
    assert [a.exists(), c.exists(), d.exists()] == [True, False, True]
    assert store.size() == 4 * BLOCK


def test_work_that_is_larger_than_the_bound_is_not_kept_and_that_is_said(tmp_path):
    work = Work(tmp_path, most_bytes=BLOCK)
    work.run("a")
    assert work.run("b") == 2
    assert work.store.size() == 0
    (note,) = work.notes
    assert "KD_EDGE_CACHE_GB" in note


@pytest.mark.parametrize("where", ["file", "link", "locks"])
def test_a_folder_that_cannot_be_used_costs_nothing_but_time(work, where):
    """Oracle: one note for all stages; what a link points to stays empty."""
    cache, elsewhere = work.root / "cache", work.root / "elsewhere"
    elsewhere.mkdir()
    if where == "file":
        cache.write_text("a file")
    elif where == "link":
        cache.symlink_to(elsewhere)
    else:
        cache.mkdir()
        (cache / "locks").symlink_to(elsewhere)
    (elsewhere / ("1" * 64)).write_text("12\n")  # as a lock's file looks
    work.run("a")
    assert work.run("b") == 2
    assert len(work.notes) == 1
    with contextlib.suppress(KdEdgeError):
        assert work.store.clear() == 0
    assert len(list(elsewhere.iterdir())) == 1


def test_a_store_of_nothing_touches_no_folder(work, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(work.root / "home"))
    for folder in "ab":
        work.run(folder, store=user_store(False))
    assert work.runs == 2
    assert not (work.root / "home").exists()


def test_clearing_deletes_entries_and_nothing_else(work):
    """Oracle: a stranger's file and folder stay, and so does an entry that is held."""
    for key in "abc":
        work.run(key, key)
    held = work.entries()[0]
    crash = work.root / "cache" / f".writing-{'0' * 64}"
    crash.mkdir()
    (crash / "0.npz").write_bytes(b"half")
    (work.root / "cache" / "locks" / ("1" * 64)).write_text("12\n")
    (work.root / "cache" / "notes").mkdir()
    (work.root / "cache" / "readme.txt").write_text("mine")
    with work.store.at(held.name, "train"):
        assert work.store.clear() == 2 * 2 * BLOCK + BLOCK
    names = {entry.name for entry in work.entries()}
    assert names == {held.name, "notes", "readme.txt"}
    assert not list((work.root / "cache" / "locks").iterdir())
    assert work.store.size() == 2 * BLOCK


def test_the_bound_is_the_users(monkeypatch):
    assert most_bytes() == MOST_GB * 1e9
    monkeypatch.setenv("KD_EDGE_CACHE_GB", "0.5")
    assert most_bytes() == 500_000_000
    monkeypatch.setenv("KD_EDGE_CACHE_GB", "0")
    with user_store().at(key_of("a"), "a") as slot:
        slot.keep("value")
        assert slot.take(lambda entry: entry.value) is None
    for text in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv("KD_EDGE_CACHE_GB", text)
        with pytest.raises(KdEdgeError) as caught:
            most_bytes()
        assert caught.value.code == "KD_USAGE"


# --- several processes ---------------------------------------------------------------------------

ONE = """
import sys
from pathlib import Path
from kd_edge.pipeline.stages import Stages
from kd_edge.pipeline.store import Store

root, out = Path(sys.argv[1]), Path(sys.argv[2])

def make():
    print("work", flush=True)
    sys.stdin.readline()
    (out / "model.keras").write_bytes(b"weights")
    return 1

out.mkdir()
store = Store(root / "cache", note=lambda text: print(text, flush=True))
Stages(out, store=store).run("train", "k", ["model.keras"], make)
print("done", flush=True)
"""

MANY = """
import random, sys
from pathlib import Path
from kd_edge.pipeline.stages import Stages
from kd_edge.pipeline.store import Store

root, number = Path(sys.argv[1]), int(sys.argv[2])
chance = random.Random(number)
store = Store(root / "cache", most_bytes=4 * 8192)
for turn in range(60):
    key = str(chance.randrange(8))
    out = root / f"{number}-{turn}"
    out.mkdir()

    def make():
        (out / "model.keras").write_text(f"weights {key}")
        return int(key)

    assert Stages(out, store=store).run("train", key, ["model.keras"], make) == int(key)
    assert (out / "model.keras").read_text() == f"weights {key}"
    assert store.size() <= 6 * 8192
"""


def script(root: Path, text: str) -> Path:
    path = root / "work.py"
    path.write_text(text)
    return path


def one(root: Path, out: str):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, script(root, ONE), root, root / out]
    return program(command, f"a process that builds in {out}", **pipes)


def test_of_two_processes_one_works_and_the_other_waits(tmp_path):
    """Oracle: what each says; both end with the file."""
    with one(tmp_path, "a") as first:
        assert first.stdout.readline() == "work\n"
        with one(tmp_path, "b") as second:
            assert second.stdout.readline() == (
                f"train: waits for process {first.pid}, which does the same\n"
            )
            first.stdin.write("\n")
            first.stdin.flush()
            assert first.stdout.readline() == "done\n"
            assert second.stdout.readline() == "done\n"
    assert (tmp_path / "b" / "model.keras").read_bytes() == CONTENT


def test_the_work_of_a_killed_process_is_done_by_the_one_that_waits(tmp_path):
    with one(tmp_path, "a") as first:
        assert first.stdout.readline() == "work\n"
        with one(tmp_path, "b") as second:
            assert "waits" in second.stdout.readline()
            first.send_signal(signal.SIGKILL)
            ended(first, "the end of a killed process")
            assert second.stdout.readline() == "work\n"
            second.stdin.write("\n")
            second.stdin.flush()
            assert second.stdout.readline() == "done\n"


def test_many_processes_that_make_room_for_each_other_end_right(tmp_path):
    """Oracle: eight kinds of work in a store of four; each process checks what it got."""
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                program(
                    [sys.executable, script(tmp_path, MANY), tmp_path, n],
                    "the end of one of three processes",
                    stderr=subprocess.PIPE,
                )
            )
            for n in range(3)
        ]
        told = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], "\n".join(told)
    assert not [p for p in (tmp_path / "cache").iterdir() if p.name.startswith(".writing")]
    assert Store(tmp_path / "cache").size() <= 4 * 2 * BLOCK


def test_a_key_of_another_form_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no digest"), Store(tmp_path).at("../a", "train"):
        pass
    with Store(tmp_path).at(key_of("a"), "train") as slot:
        assert slot.take(lambda entry: entry) is None
