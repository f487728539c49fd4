"""Stages: work that is done again only when what it reads has changed.

An output folder remembers its own stages, and the user's store those of all output folders.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kd_edge.base.files import (
    is_unaltered,
    own_path,
    remove_own,
    sha256_file,
    sha256_text,
    stays_inside,
    write_text,
)
from kd_edge.base.sources import code_digest
from kd_edge.base.untrusted import read_json
from kd_edge.pipeline.entries import Entry, copy_in, entry_arrays, keep_arrays
from kd_edge.pipeline.store import NoSlot, Store

STATE_FILE = ".stages.json"


def key_of(*parts: Any) -> str:
    """SHA-256 of anything that JSON can hold."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _whole_key(key: str, make: Callable) -> str:
    """With the place in the source of what does the work, and all code behind it."""
    return key_of(make.__module__, make.__qualname__, key, code_digest(make.__module__))


@dataclass(frozen=True)
class Asked:
    """A stage to be run.

    Attributes:
        name, key: see `Stages.run`. files: that it writes, below the output folder.
    """

    name: str
    key: str
    files: tuple[str, ...]

    @property
    def places(self) -> dict[str, str]:
        """Position and suffix -> file: the same work has other names in another folder."""
        return {f"{at}{Path(file).suffix}": file for at, file in enumerate(self.files)}


class Stages:
    """The stages of one output folder, remembered in a file there.

    A stage is its name, the key of what it reads, the files that it writes and a JSON value that
    it returns. It runs when its key is new, a file is missing or altered, or the code that makes it
    has changed; else its remembered value is returned. What the folder does not remember, the store
    may have from another folder: its files are copied. State is written after each stage, so an
    interrupted build goes on. Stages of different names may run in different threads.

    The file may be damaged or a stranger's: an entry that is not whole, or names a file outside the
    folder, is as if it were not there.

    Args:
        store: what builds in other folders have done; None: nothing.
        report: told a stage's name, and whether it is done already.

    Attributes:
        store: as given, or one that keeps nothing.
    """

    def __init__(
        self,
        out: Path,
        *,
        store: Store | None = None,
        report: Callable[[str, bool], None] | None = None,
    ):
        self._out = Path(out)
        self.store = store or Store(None)
        self._report = report or (lambda name, cached: None)
        self._done: dict[str, dict] = self._load()
        self._asked: set[str] = set()
        self._lock = threading.Lock()

    def run(self, name: str, key: str, files: Sequence[str], make: Callable[[], Any]) -> Any:
        """The stage's value, made now or remembered.

        Args:
            files: names below the output folder that `make` writes.
            make: does the work; returns something that JSON can hold. Its place in the source, and
                the source of its module and of all that this imports, are a part of the key. The
                stage's name is not: two folds may call the same work differently.

        Raises:
            KdEdgeError KD_OUTPUT: a symbolic link stands where the stage would write.
        """
        (value,) = self.run_together([Asked(name, key, tuple(files))], make, lambda _: [make()])
        return value

    def run_together(
        self,
        asked: Sequence[Asked],
        part_of: Callable,
        make: Callable[[Sequence[int]], Sequence[Any]],
    ) -> list[Any]:
        """The values of several stages whose work is done at once.

        Args:
            asked: of different names and keys.
            part_of: a function; its place in the source is a part of every key, as `make` in `run`.
            make: does the work of the stages at these places; returns as many values.

        Raises:
            KdEdgeError KD_OUTPUT: as `run`.
        """
        asked = [replace(one, key=_whole_key(one.key, part_of)) for one in asked]
        with contextlib.ExitStack() as stack:
            slots: dict[int, NoSlot] = {}
            # In one order in all processes, so that no two wait for each other.
            for at in sorted(range(len(asked)), key=lambda at: asked[at].key):
                slot = self._begin(asked[at], stack)
                if slot is not None:
                    slots[at] = slot
            missing = sorted(slots)
            made = make(missing) if missing else ()
            for at, value in zip(missing, made, strict=True):
                self._end(asked[at], slots[at], value)
        return [self._done[one.name]["value"] for one in asked]

    def is_busy(self, key: str, part_of: Callable) -> bool:
        """Whether somebody does the work of a stage now; arguments as of `run_together`."""
        return self.store.is_busy(_whole_key(key, part_of))

    def _begin(self, asked: Asked, stack: contextlib.ExitStack) -> NoSlot | None:
        """The held place of a stage that is to be done; None if it is done."""
        for file in asked.files:
            own_path(self._out, file)
        self._asked.add(asked.name)
        entry = self._done.get(asked.name)
        known = entry is not None and entry["key"] == asked.key
        if known and self._intact(entry["files"], asked.files):
            self._report(asked.name, True)
            return None
        # Forget first: a crash inside `make` must not leave the old entry beside new files.
        self._remember(asked.name, None)
        slot = stack.enter_context(self.store.at(asked.key, asked.name))
        done = slot.take(lambda entry: self._adopt(entry, asked.places))
        self._report(asked.name, done is not None)
        if done is None:
            return slot
        self._remember(asked.name, done | {"key": asked.key})
        return None

    def _end(self, asked: Asked, slot: NoSlot, value: Any) -> None:
        digests = {file: sha256_file(self._out / file) for file in asked.files}
        slot.keep(value, lambda folder: self._copy_out(folder, asked.places))
        self._remember(asked.name, {"files": digests, "value": value, "key": asked.key})

    def arrays(
        self, name: str, key: str, make: Callable[[], Mapping[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """Arrays that only memory needs: the store's, or made now and kept there.

        Args:
            make: as in `run`; gives each array, of any shape and unit, a name.
        """
        key = _whole_key(key, make)
        with self.store.at(key, name) as slot:
            found = slot.take(entry_arrays)
            self._report(name, found is not None)
            if found is None:
                found = dict(make())
                slot.keep(None, keep_arrays(found))
        return found

    def recall(self, name: str, key: str) -> Any:
        """The value of a stage without files that `keep` remembered under this key, else None."""
        entry = self._done.get(name)
        if entry is None or entry["key"] != key:
            with self.store.at(key_of("kept", key), name) as slot:
                entry = slot.take(lambda entry: self._adopt(entry, {}))
            if entry is None:
                return None
            self._remember(name, entry | {"key": key})
        self._asked.add(name)
        self._report(name, True)
        return entry["value"]

    def keep(self, name: str, key: str, value: Any) -> None:
        """Remember a value that is known only when another stage has failed, say."""
        self._asked.add(name)
        with self.store.at(key_of("kept", key), name) as slot:
            slot.keep(value)
        self._remember(name, {"key": key, "files": {}, "value": value})

    @property
    def files(self) -> tuple[str, ...]:
        """What the stages asked for until now have written, below the output folder."""
        return tuple(file for name in sorted(self._asked) for file in self._files(name))

    def drop_others(self) -> None:
        """Forget the stages that this build did not ask for, and delete what only they wrote.

        A file whose content is no longer what the stage wrote is not the stage's any more.
        """
        kept = set(self.files)
        for name in sorted(set(self._done) - self._asked):
            for file, digest in self._files(name).items():
                if file not in kept:
                    remove_own(self._out, file, digest)
            self._remember(name, None)

    def _adopt(self, entry: Entry, places: Mapping[str, str]) -> dict:
        """Copy another folder's files here: bundles share none, so no change reaches another."""
        if entry.files.keys() != places.keys():
            raise ValueError("the entry is another stage's")
        for place, file in places.items():
            entry.copy(place, self._out / file)
        digests = {file: entry.files[place] for place, file in places.items()}
        return {"files": digests, "value": entry.value}

    def _copy_out(self, folder: Path, places: Mapping[str, str]) -> None:
        for place, file in places.items():
            copy_in(self._out / file, folder, place)

    def _files(self, name: str) -> dict[str, str]:
        return self._done.get(name, {}).get("files", {})

    def _remember(self, name: str, entry: dict | None) -> None:
        with self._lock:
            if entry is not None:
                # As it will be read back, so that its digest is the same then.
                entry = json.loads(json.dumps(entry))
                self._done[name] = entry | {"sha256": _digest(name, entry)}
            elif self._done.pop(name, None) is None:
                return
            text = json.dumps(self._done, indent=1, sort_keys=True)
            write_text(self._out / STATE_FILE, text)

    def _intact(self, digests: dict[str, str], files: Sequence[str]) -> bool:
        return set(digests) == set(files) and all(
            is_unaltered(self._out / file, digest) for file, digest in digests.items()
        )

    def _load(self) -> dict[str, dict]:
        try:
            found = read_json(self._out / STATE_FILE, follow=False)
        except (OSError, ValueError):
            # No state, or one that cannot be read: everything is made again.
            return {}
        if not isinstance(found, dict):
            return {}
        return {name: entry for name, entry in found.items() if _is_whole(name, entry)}


def _is_whole(name: str, entry: Any) -> bool:
    """Whether an entry is one that `_remember` wrote, unaltered."""
    if not isinstance(entry, dict) or entry.keys() != {"key", "files", "value", "sha256"}:
        return False
    files = entry["files"]
    return (
        isinstance(files, dict)
        and all(stays_inside(file) and isinstance(digest, str) for file, digest in files.items())
        and entry["sha256"] == _digest(name, entry)
    )


def _digest(name: str, entry: dict) -> str:
    content = [name, entry["key"], entry["files"], entry["value"]]
    return sha256_text(json.dumps(content, sort_keys=True))
