"""One entry of the store on disk: a folder with a value and files, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kd_edge.base.files import atomic_path, sha256_text
from kd_edge.base.untrusted import load_arrays, open_regular, read_json

ENTRY_FILE = "entry.json"
_ARRAYS = "0.npz"
_FILE = re.compile(r"[0-9]{1,4}(\.[A-Za-z0-9]{1,16})*|entry\.json")
# A file takes whole blocks of a disk, and a small entry's are what counts.
_BLOCK_BYTES = 4096
_COPIED_BYTES = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One entry of a store, while nobody else can change it.

    Attributes:
        value: what JSON gave back.
        files: name below `folder` -> SHA-256 that its content had when it was written.
    """

    value: Any
    folder: Path
    files: Mapping[str, str]

    def path(self, name: str) -> Path:
        """A file of the entry.

        Raises:
            OSError, ValueError: its content is not the one that was written.
        """
        with open_regular(self.folder / name, follow=False) as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != self.files[name]:
                raise ValueError(f"{name} was altered")
        return self.folder / name

    def copy(self, name: str, target: Path) -> None:
        """Write a file's content to a place of its own, or nothing.

        Raises:
            OSError, ValueError: the content is not the one that was written.
            KdEdgeError KD_OUTPUT: the place cannot be written.
        """
        digest = hashlib.sha256()
        source = open_regular(self.folder / name, follow=False)
        with source, atomic_path(target) as temporary:
            with open(temporary, "wb") as stream:
                while piece := source.read(_COPIED_BYTES):
                    digest.update(piece)
                    stream.write(piece)
            if digest.hexdigest() != self.files[name]:
                raise ValueError(f"{name} was altered")


def keep_arrays(arrays: Mapping[str, np.ndarray]) -> Callable[[Path], None]:
    """What `Slot.keep` calls to keep arrays of any shape and unit, for `entry_arrays`."""

    def fill(folder: Path) -> None:
        # An array may have any name, that of an argument of `np.savez` too.
        with zipfile.ZipFile(folder / _ARRAYS, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                    np.lib.format.write_array(stream, np.asanyarray(array), allow_pickle=False)

    return fill


def entry_arrays(entry: Entry) -> dict[str, np.ndarray]:
    """The arrays of an entry, of any shape and unit. Raises as `Slot.take` allows: it has none."""
    return load_arrays(entry.path(_ARRAYS), most_bytes=None)


def copy_in(source: Path, folder: Path, name: str) -> None:
    """A file's content as an entry's file, for what `Slot.keep` calls."""
    shutil.copyfile(source, folder / name)


def write_entry(folder: Path, key: str, value: Any) -> None:
    """Make an entry of a folder with files. Raises OSError, ValueError: a file has another name."""
    files = {}
    for place in sorted(folder.iterdir()):
        if not _FILE.fullmatch(place.name):
            raise ValueError(f"{place.name} is no name for an entry's file")
        with open_regular(place, follow=False) as stream:
            files[place.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    # As it will be read back, so that its digest is the same then.
    entry = json.loads(json.dumps({"key": key, "files": files, "value": value}))
    text = json.dumps(entry | {"sha256": _digest(entry)})
    (folder / ENTRY_FILE).write_text(text, encoding="utf-8")


def read_entry(place: Path, key: str) -> Entry:
    """An entry, without a look into its files. Raises OSError, ValueError, KeyError, TypeError."""
    if place.is_symlink() or not place.is_dir():
        raise ValueError(f"{place.name} is not a folder")
    entry = read_json(place / ENTRY_FILE, follow=False)
    claimed = isinstance(entry, dict) and entry.pop("sha256")
    if not claimed or entry["key"] != key or claimed != _digest(entry):
        raise ValueError(f"{place.name} was altered")
    names = {found.name for found in place.iterdir()} - {ENTRY_FILE}
    if names != set(entry["files"]) or not all(map(_FILE.fullmatch, names)):
        raise ValueError(f"{place.name} holds other files")
    return Entry(entry["value"], place, entry["files"])


def _digest(entry: Mapping[str, Any]) -> str:
    return sha256_text(json.dumps(entry, sort_keys=True))


def entry_bytes(place: Path) -> int:
    """Bytes that an entry takes on the disk; links count as nothing."""
    if place.is_symlink() or not place.is_dir():
        return 0
    sizes = [file.lstat().st_size for file in place.iterdir()]
    return sum(-(-size // _BLOCK_BYTES) * _BLOCK_BYTES for size in sizes)


def delete_entry(place: Path) -> None:
    """Delete an entry's folder with what we name so; a link itself, and nothing that it points to.

    Raises:
        OSError: it holds something else, or may not be deleted.
    """
    if place.is_symlink() or place.is_file():
        place.unlink(missing_ok=True)
        return
    if not place.is_dir():
        return
    for file in place.iterdir():
        if _FILE.fullmatch(file.name) and (file.is_symlink() or not file.is_dir()):
            file.unlink(missing_ok=True)
    place.rmdir()
