"""Writing: whole or not at all."""

from __future__ import annotations

import os

import pytest

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.base.files import (
    atomic_path,
    own_path,
    remove_own,
    sha256_text,
    stays_inside,
    write_text,
)


def test_a_failure_while_writing_leaves_what_was_there_and_no_litter(tmp_path):
    target = tmp_path / "report.json"
    write_text(target, "old")

    def fail():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_place_below_a_file_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KdEdgeError) as caught:
        write_text(tmp_path / "file" / "out.json", "text")
    assert caught.value.code == "KD_OUTPUT"
    assert caught.value.exit_status == ExitStatus.BAD_DATA


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_is_an_output_error(tmp_path):
    """Oracle: Linux's /dev/full, which refuses every byte for want of space."""
    target = tmp_path / "model.bin"

    def fill():
        with atomic_path(target) as temporary:
            temporary.unlink()
            temporary.symlink_to("/dev/full")
            temporary.write_bytes(b"x" * 100)

    with pytest.raises(KdEdgeError) as caught:
        fill()
    assert "No space left" in caught.value.message
    assert not target.exists()


def test_an_error_about_another_file_is_not_taken_for_the_output(tmp_path):
    """Oracle: what Python raises for a file that is not there."""

    def copy():
        with atomic_path(tmp_path / "copy.bin") as temporary:
            temporary.write_bytes((tmp_path / "gone.bin").read_bytes())

    with pytest.raises(FileNotFoundError, match=r"gone\.bin"):
        copy()
    assert os.listdir(tmp_path) == []


def test_a_written_file_has_the_rights_that_the_process_gives(tmp_path):
    """Oracle: a file that Python itself opens."""
    write_text(tmp_path / "ours", "text")
    (tmp_path / "plain").write_text("text")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_writing_never_touches_the_umask_of_other_threads(tmp_path, monkeypatch):
    def refuse(mask):
        raise AssertionError(mask)

    monkeypatch.setattr(os, "umask", refuse)
    write_text(tmp_path / "ours", "text")


def test_content_is_on_the_disk_before_it_has_its_name_and_the_folder_after(tmp_path, monkeypatch):
    """Oracle: the order of the system calls, each with what it was for."""
    done = []
    sync, move = os.fsync, os.replace

    def fsync(handle):
        done.append(("sync", os.readlink(f"/proc/self/fd/{handle}")))
        sync(handle)

    def replace(source, target):
        done.append(("move", str(target)))
        move(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    folder = tmp_path / "new" / "folder"
    write_text(folder / "report.json", "text")
    kinds = [kind for kind, _ in done]
    moved = kinds.index("move")
    assert done[moved - 1][1].startswith(str(folder / ".writing-"))
    assert done[moved:] == [("move", str(folder / "report.json")), ("sync", str(folder))]
    # Folders that were made are on the disk too.
    assert {("sync", str(tmp_path)), ("sync", str(tmp_path / "new"))} <= set(done[:moved])


def test_a_disk_that_fails_while_it_is_synced_leaves_what_was_there(tmp_path, monkeypatch):
    write_text(tmp_path / "ours", "old")

    def fail(handle):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KdEdgeError, match="Input/output error"):
        write_text(tmp_path / "ours", "new")
    assert (tmp_path / "ours").read_text() == "old"
    assert os.listdir(tmp_path) == ["ours"]


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "report.json").symlink_to("precious")
    write_text(tmp_path / "report.json", "new")
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "report.json").is_symlink()


@pytest.mark.parametrize("name", ["a", "a/b.c", "a b/ç", "..a", "a..", ".work/x-1.ckpt"])
def test_a_name_below_a_folder_stays_inside(name):
    assert stays_inside(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a", "a/../../b", "a/..", "/etc/passwd", "a//b", "./a", "a/", "a/./b",
     "..\\a", "C:\\a", "c:a", "a\0b", "\ud800", "x" * 256, "a/" * 600 + "a", "//host/a"],
)  # fmt: skip
def test_a_name_that_may_lead_out_does_not_stay_inside(name, tmp_path):
    assert not stays_inside(name)
    with pytest.raises(KdEdgeError) as caught:
        own_path(tmp_path, name)
    assert caught.value.code == "KD_OUTPUT"


@pytest.mark.parametrize("name", ["link", "link/a", "folder/link/a"])
def test_a_link_on_the_way_to_our_own_file_is_refused(tmp_path, name):
    (tmp_path / "elsewhere").mkdir()
    folder = tmp_path / "out"
    (folder / "folder").mkdir(parents=True)
    for place in (folder, folder / "folder"):
        (place / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KdEdgeError, match="symbolic link"):
        own_path(folder, name)


def test_a_folder_that_the_user_reaches_through_a_link_is_the_users_choice(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    assert own_path(tmp_path / "out", "a/b") == tmp_path / "out" / "a" / "b"


def test_only_what_we_wrote_and_where_we_wrote_it_is_removed(tmp_path):
    folder = tmp_path / "out"
    for name in ("out/ours", "out/edited", "precious"):
        write_text(tmp_path / name, "content")
    (folder / "edited").write_text("mine")
    (folder / "link").symlink_to(tmp_path / "precious")
    digest = sha256_text("content")
    assert remove_own(folder, "ours", digest)
    for name in ("edited", "link", "../precious", "gone", str(tmp_path / "precious")):
        assert not remove_own(folder, name, digest)
    assert (tmp_path / "precious").read_text() == "content"
    assert sorted(os.listdir(folder)) == ["edited", "link"]
