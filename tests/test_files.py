"""Writing: whole or not at all."""

from __future__ import annotations

import os

import pytest

from kd_edge.errors import ExitStatus, KdEdgeError
from kd_edge.files import atomic_path, write_text


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
