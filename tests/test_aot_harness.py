"""The folder in which tests keep compiled kernels is this user's alone."""

from __future__ import annotations

import os

import pytest
from aot_harness import private_folder


def test_the_folder_for_objects_is_made_for_this_user_alone(tmp_path):
    made = private_folder(tmp_path / "objects")
    assert made.stat().st_mode & 0o777 == 0o700
    assert private_folder(made) == made


def test_a_folder_that_others_can_write_to_is_not_taken(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o770)
    with pytest.raises(PermissionError, match="open"):
        private_folder(tmp_path / "open")


def test_a_link_is_not_taken(tmp_path):
    private_folder(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(PermissionError, match="link"):
        private_folder(tmp_path / "link")


def test_a_folder_of_another_user_is_not_taken(tmp_path, monkeypatch):
    private_folder(tmp_path / "theirs")
    monkeypatch.setattr(os, "getuid", lambda: os.stat(tmp_path).st_uid + 1)
    with pytest.raises(PermissionError, match="theirs"):
        private_folder(tmp_path / "theirs")
