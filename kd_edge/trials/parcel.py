"""Recordings on their way to other machines: once each, by content."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import is_unaltered, sha256_file, stays_inside
from kd_edge.pipeline.lock import held
from kd_edge.pipeline.stages import key_of


@dataclass(frozen=True)
class Parcel:
    """What lies in a folder of recordings, or one file.

    Attributes:
        name: the folder's or the file's.
        is_file: it is a file, and `files` has that alone.
        files: path below the folder -> SHA-256 of what it holds.
        contents: SHA-256 -> what `fetch` turns into bytes: a reference to where they are.
    """

    name: str
    is_file: bool
    files: dict[str, str]
    contents: dict[str, Any]

    @property
    def key(self) -> str:
        """SHA-256 of the names and of what the files hold."""
        return key_of(self.name, self.is_file, self.files)


def pack(data: Path, keep: Callable[[bytes], Any]) -> Parcel:
    """A folder or a file, each content once.

    Args:
        keep: puts bytes where others can fetch them, and gives a reference to them.

    Raises:
        KdEdgeError KD_NO_FILE: there is no such folder or file.
    """
    if not data.exists():
        raise KdEdgeError(
            "KD_NO_FILE",
            f"no such file or folder: {data}",
            where="dataset.path or --data",
            hint="name the folder of recordings with --data",
        )
    paths = [data] if data.is_file() else sorted(p for p in data.rglob("*") if p.is_file())
    files, contents = {}, {}
    for path in paths:
        digest = sha256_file(path)
        name = data.name if path == data else path.relative_to(data).as_posix()
        files[name] = digest
        if digest not in contents:
            contents[digest] = keep(path.read_bytes())
    return Parcel(data.name, data.is_file(), files, contents)


def recordings_folder() -> Path:
    """Where recordings from another machine are kept, below the user's cache."""
    return Path(platformdirs.user_cache_dir("kd-edge")) / "recordings"


def clear_recordings() -> int:
    """Delete what came from other machines, and give back its bytes."""
    root = recordings_folder()
    if root.is_symlink() or not root.is_dir():
        return 0
    freed = sum(path.lstat().st_size for path in root.rglob("*") if path.is_file())
    shutil.rmtree(root)
    return freed


def unpack(parcel: Parcel, fetch: Callable[[Any], bytes]) -> Path:
    """The same recordings on this machine; only what it does not have yet is fetched.

    Args:
        fetch: what a reference stands for.

    Raises:
        KdEdgeError KD_BAD_SAMPLES: what was fetched is not what was sent, or would lie elsewhere.
    """
    root = recordings_folder()
    root.mkdir(parents=True, exist_ok=True)
    folder = root / parcel.key
    with held(root / f"{parcel.key}.lock", wait=lambda holder: None):
        if not _whole(folder, parcel):
            shutil.rmtree(folder, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=root, prefix=".coming-") as name:
                coming = Path(name, "all")
                coming.mkdir()
                for file, digest in parcel.files.items():
                    _write(coming, file, digest, fetch(parcel.contents[digest]))
                os.rename(coming, folder)
    return folder / parcel.name if parcel.is_file else folder


def _whole(folder: Path, parcel: Parcel) -> bool:
    return folder.is_dir() and all(
        is_unaltered(folder / file, digest) for file, digest in parcel.files.items()
    )


def _write(folder: Path, file: str, digest: str, content: bytes) -> None:
    if not stays_inside(file) or hashlib.sha256(content).hexdigest() != digest:
        raise KdEdgeError(
            "KD_BAD_SAMPLES",
            "a recording did not arrive as it was sent",
            where=file,
            hint="start the search again; look at the cluster's machines if it happens twice",
        )
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
