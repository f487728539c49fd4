"""Firmware as a project in the form that a board's users know: its files, and their folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from firmware_export.boards import BOARDS
from firmware_export.boards.board import Board
from firmware_export.boards.kinds import PROJECTS, RADIOS
from firmware_export.firmware import Firmware
from firmware_export.projects.layouts import BLE, LAYOUTS, ProjectFacts, as_seen_by
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import (
    output_error,
    own_path,
    sha256_file,
    stays_inside,
    write_bytes,
    write_text,
)
from kd_edge.base.untrusted import read_json

__all__ = ["ProjectFacts", "as_seen_by", "project_files", "project_kind", "write_project"]

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1
CONTENT = "firmware project"


@dataclass(frozen=True)
class Project:
    """A project before it is written.

    Attributes:
        files: path below its folder -> text, or bytes of a library; without the manifest.
        yours: paths of files that the user is meant to edit.
    """

    kind: str
    board: str
    facts: ProjectFacts
    files: Mapping[str, str | bytes]
    yours: tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """What writing a project did.

    Attributes:
        files: every file of the project, sorted.
        kept: the user's own, edited since the last export and left as they are.
        removed: of an earlier export.
    """

    files: tuple[str, ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]


def project_kind(board: Board, asked: str | None = None) -> str:
    """The kind of project for a board: the one asked for, or what its users know best.

    Raises:
        KdEdgeError KD_USAGE: the board has no such project. KD_UNKNOWN_NAME: no such kind.
    """
    kinds = board.kind.projects(board)
    if asked is None:
        return kinds[0]
    PROJECTS.find(asked)
    if asked not in kinds:
        raise KdEdgeError(
            "KD_USAGE", f"{board.name} has no {asked} project", hint=f"it has {', '.join(kinds)}"
        )
    return asked


def check_link(board: Board, kind: str, link: str) -> None:
    """Refuse a link that no project of that kind has for a board.

    Args:
        kind: as `project_kind` gives it. link: one of `LINKS`.

    Raises:
        KdEdgeError KD_USAGE: over Bluetooth, but the board has no radio that we drive, or the kind
            of project has no glue for it.
    """
    if link != BLE:
        return
    radio = RADIOS.get(board.project.bluetooth) if board.project else None
    if radio is None:
        able = [name for name, each in BOARDS.items() if each.project and each.project.bluetooth]
        raise KdEdgeError(
            "KD_USAGE",
            f"{board.name} has no Bluetooth that kd-edge drives",
            where="--link ble",
            hint=f"{', '.join(able)} have; leave --link out for a cable",
        )
    if radio.project != kind:
        raise KdEdgeError(
            "KD_USAGE",
            f"a {kind} project has no Bluetooth",
            where="--link ble",
            hint=f"for {board.name} take --project {radio.project}",
        )


def project_files(firmware: Firmware, board: Board, facts: ProjectFacts, *, kind: str) -> Project:
    """Every file of a project but the manifest; the same arguments give the same text.

    Args:
        firmware: made for `as_seen_by(board, kind)`.
        kind: as `project_kind` gives it.
    """
    layout = LAYOUTS.find(kind)(firmware, board, facts)
    return Project(kind, board.name, facts, dict(sorted(layout.files.items())), layout.yours)


def write_project(out: Path, project: Project) -> Written:
    """Write a project; what an earlier export left and this one lacks goes.

    A file that is the user's to edit, and has been edited, stays as it is.

    Raises:
        KdEdgeError KD_OUTPUT: the folder is none, cannot be written, holds files that are no
            project's, a generated file that somebody has edited, or a symbolic link in the way.
    """
    earlier = _earlier(out)
    for path in (*earlier, *project.files):
        own_path(out, path)
    edited = {path for path in earlier if _edited(out / path, earlier[path])}
    kept = edited & set(project.yours)
    if wrong := sorted(edited - kept):
        raise _output(
            out / wrong[0],
            f"{wrong[0]} has been edited since it was written",
            "move your changes away and delete the file, or name another folder",
        )
    if in_the_way := [p for p in project.files if p not in earlier and os.path.lexists(out / p)]:
        raise _output(
            out / in_the_way[0],
            f"the folder holds a {in_the_way[0]} that kd-edge did not write",
            "move it away, or name another folder",
        )
    stale = sorted(earlier.keys() - project.files.keys())
    for path in sorted(project.files.keys() - kept):
        write_bytes(out / path, _bytes(project.files[path]))
    for path in stale:
        _remove(out, path)
    # Last: an export that was interrupted is taken up again by the next one.
    write_text(out / MANIFEST, _manifest(project))
    return Written((*sorted(project.files), MANIFEST), tuple(sorted(kept)), tuple(stale))


def read_manifest(folder: Path) -> dict:
    """The manifest of a project's folder.

    Raises:
        KdEdgeError KD_NO_FILE: the folder holds no project. KD_BAD_FORMAT: it is damaged.
    """
    try:
        content = read_json(folder / MANIFEST)
    except (OSError, ValueError):
        content = {}
    if not isinstance(content, dict) or content.get("content") != CONTENT:
        raise KdEdgeError(
            "KD_NO_FILE",
            f"{folder} holds no firmware project",
            where=str(folder / MANIFEST),
            hint="`kd-edge firmware BUNDLE --board NAME --out DIR` writes one",
        )
    for key in ("kind", "board"):
        if not isinstance(content.get(key), str):
            raise KdEdgeError(
                "KD_BAD_FORMAT",
                f"the project's {MANIFEST} does not say its {key}",
                where=str(folder / MANIFEST),
                hint="`kd-edge firmware BUNDLE --board NAME --out DIR` writes it again",
            )
    return content


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8") if isinstance(content, str) else content


def _manifest(project: Project) -> str:
    entries = {
        "manifest_version": MANIFEST_VERSION,
        "content": CONTENT,
        "kind": project.kind,
        "board": project.board,
        **asdict(project.facts),
        "files": [
            {
                "path": path,
                "bytes": len(_bytes(content)),
                "sha256": hashlib.sha256(_bytes(content)).hexdigest(),
                "yours": path in project.yours,
            }
            for path, content in project.files.items()
        ],
    }
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"


def _earlier(out: Path) -> dict[str, str]:
    """Path -> SHA-256 of what an earlier export wrote here."""
    if out.exists() and not out.is_dir():
        raise _output(out, f"{out.name} is a file, not a folder", "name a folder")
    if not out.is_dir() or not any(out.iterdir()):
        return {}
    foreign = f"{out} holds files that are no firmware project of kd-edge"
    hint = "name an empty or new folder with --out"
    try:
        entries = read_manifest(out)["files"]
        files = {str(entry["path"]): str(entry["sha256"]) for entry in entries}
    except (KdEdgeError, KeyError, TypeError) as error:
        raise _output(out, foreign, hint) from error
    if not all(map(stays_inside, files)):
        raise _output(out / MANIFEST, "its manifest.json names files outside the folder", hint)
    return files


def _edited(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_file(path) != sha256


def _remove(out: Path, path: str) -> None:
    """A file, and the folders that it leaves empty."""
    try:
        (out / path).unlink(missing_ok=True)
        for folder in (out / path).parents:
            if folder == out or any(folder.iterdir()):
                break
            folder.rmdir()
    except OSError as error:
        raise output_error(out / path, error) from error


def _output(where: Path, message: str, hint: str) -> KdEdgeError:
    return KdEdgeError("KD_OUTPUT", message, where=str(where), hint=hint)
