"""Finished work of all builds of a user: found again by the digest of what it reads.

    <the user's cache folder>/stages/<key>/entry.json    the value, and the SHA-256 of every file
                                     /0.keras, 1.npz     the files
                                    /locks/<key>         held by who makes or takes the entry

Whoever wants work that another process is doing waits for it. An entry is moved into place whole,
and is looked at again whenever it is taken: a damaged one, or a stranger's, is deleted and made
again. What was used longest ago is deleted first once all together are too large. Nothing outside
the folder is written or deleted, and no link below it is followed.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import output_error
from kd_edge.pipeline.entries import Entry, delete_entry, entry_bytes, read_entry, write_entry
from kd_edge.pipeline.lock import BusyError, ForeignError, held

# Of all entries together, unless the variable says otherwise; docs/cache.md has both.
MOST_GB = 10.0
VARIABLE = "KD_EDGE_CACHE_GB"

_LOCKS = "locks"
_ROOM = "room"
_KEY = re.compile(r"[0-9a-f]{64}")
# An entry's folder, and one that is being written or that a crash has left so.
_FOLDER = re.compile(r"(\.writing-)?([0-9a-f]{64})")

T = TypeVar("T")


def cache_folder() -> Path:
    """Where finished work is kept between builds."""
    return Path(platformdirs.user_cache_dir("kd-edge")) / "stages"


def most_bytes() -> int:
    """How large the user's store may become.

    Raises:
        KdEdgeError KD_USAGE: the environment variable is not a size.
    """
    text = os.environ.get(VARIABLE, "").strip() or str(MOST_GB)
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not 0 <= size < math.inf:
        raise KdEdgeError(
            "KD_USAGE",
            f"{VARIABLE} is '{text}', which is not a size in GB",
            where=VARIABLE,
            hint=f"set it to a number such as 20, or unset it for {MOST_GB:g} GB",
        )
    return round(size * 1e9)


class Store:
    """Entries below a folder.

    Args:
        folder: None keeps nothing and has nothing.
        most_bytes: of all entries together; larger ones are not kept.
        note: told what the user should know: a wait, or work that could not be kept.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        most_bytes: int = round(MOST_GB * 1e9),
        note: Callable[[str], None] | None = None,
    ):
        self._folder = folder
        self._most_bytes = most_bytes
        self._note = note or (lambda text: None)
        self._said: set[str] = set()

    @contextlib.contextmanager
    def at(self, key: str, what: str) -> Iterator[NoSlot]:
        """Hold the place of an entry; whoever makes the same meanwhile is waited for.

        Args:
            key: 64 hexadecimal digits, of everything that the work reads.
            what: the work, for a note to the user.
        """

        def wait(holder: str) -> None:
            self._note(f"{what}: waits for process {holder}, which does the same")

        with contextlib.ExitStack() as stack:
            usable = False
            if self._folder is not None:
                if not _KEY.fullmatch(key):
                    raise ValueError(f"{key!r} is no digest")
                try:
                    self._make_folders()
                    stack.enter_context(held(self._folder / _LOCKS / key, wait=wait))
                    usable = True
                except (OSError, ForeignError) as error:
                    # The store only saves time: one that cannot be used costs nothing else.
                    self._say_once(f"cannot use the cache {self._folder}: {_reason(error)}")
            yield Slot(self, key) if usable else NoSlot()

    @property
    def keeps(self) -> bool:
        """Whether anything is kept at all."""
        return self._folder is not None

    def is_busy(self, key: str) -> bool:
        """Whether somebody holds the place of an entry now."""
        lock = self._folder and self._folder / _LOCKS / key
        if lock is None or not os.path.lexists(lock):
            return False
        try:
            with held(lock):
                return False
        except BusyError:
            return True
        except (OSError, ForeignError):
            return False

    def size(self) -> int:
        """Bytes that all entries take on the disk."""
        return sum(size for _, size, _ in self._entries())

    def clear(self) -> int:
        """Delete every entry that no process holds, and give back their bytes."""
        if self._folder is None or not self._folder.is_dir():
            return 0
        try:
            self._make_folders()
        except OSError as error:
            raise output_error(self._folder, error) from error
        freed = 0
        for _, size, place in self._entries():
            freed += size * self._drop(place)
        for lock in (self._folder / _LOCKS).iterdir():
            if _KEY.fullmatch(lock.name):
                self._drop(self._folder / lock.name)  # a killed process has left it
        return freed

    def keep(self, key: str, value: Any, fill: Callable[[Path], None] | None) -> None:
        """As `Slot.keep`, for whoever holds the place of `key`."""
        temporary = self._folder / f".writing-{key}"
        try:
            delete_entry(temporary)
            temporary.mkdir()
            try:
                if fill is not None:
                    fill(temporary)
                write_entry(temporary, key, value)
                self._move_in(temporary, key)
            finally:
                delete_entry(temporary)
        except (OSError, ForeignError) as error:
            self._say_once(f"cannot keep work in the cache {self._folder}: {_reason(error)}")

    def _move_in(self, temporary: Path, key: str) -> None:
        """Make room and move a whole entry into place, one process at a time."""
        size = entry_bytes(temporary)
        if size > self._most_bytes:
            self._say_once(
                f"work of {size / 1e9:.1f} GB is not kept: the cache may hold "
                f"{self._most_bytes / 1e9:g} GB ({VARIABLE})"
            )
            return
        with held(self._folder / _LOCKS / _ROOM, wait=lambda holder: None):
            delete_entry(self._folder / key)
            others = [e for e in self._entries() if e[2].name.removeprefix(".writing-") != key]
            left = sum(other[1] for other in others) + size
            for _, other_size, place in sorted(others):
                if left <= self._most_bytes:
                    break
                left -= other_size * self._drop(place)
            temporary.rename(self._folder / key)

    def _entries(self) -> list[tuple[int, int, Path]]:
        """When each was last used, its bytes, and its folder."""
        if self._folder is None or not self._folder.is_dir():
            return []
        found = []
        for place in self._folder.iterdir():
            if _FOLDER.fullmatch(place.name):
                with contextlib.suppress(OSError):  # another process deletes as well
                    found.append((place.lstat().st_mtime_ns, entry_bytes(place), place))
        return found

    def _drop(self, place: Path) -> bool:
        """Delete an entry, unless a process holds it; whether it is gone."""
        key = _FOLDER.fullmatch(place.name)[2]
        try:
            with held(self._folder / _LOCKS / key):
                delete_entry(place)
        except (OSError, BusyError, ForeignError):
            pass
        return not os.path.lexists(place)

    def place(self, key: str) -> Path:
        """Where an entry is, if there is one."""
        return self._folder / key

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._note(text)

    def _make_folders(self) -> None:
        for folder in (self._folder, self._folder / _LOCKS):
            folder.mkdir(parents=True, exist_ok=True)
            if folder.is_symlink():
                raise OSError(f"{folder.name} is a link")


def user_store(use: bool = True, *, note: Callable[[str], None] | None = None) -> Store:
    """The store that all builds of the user share, or one that keeps nothing, as of 0 GB.

    Raises:
        KdEdgeError KD_USAGE: as `most_bytes`.
    """
    most = most_bytes() if use else 0
    return Store(cache_folder(), most_bytes=most, note=note) if most else Store(None)


class NoSlot:
    """The place of an entry in a store that keeps nothing."""

    def take(self, read: Callable[[Entry], T]) -> T | None:
        """None."""

    def keep(self, value: Any, fill: Callable[[Path], None] | None = None) -> None:
        """Nothing is kept."""


class Slot(NoSlot):
    """The place of one entry, held until the block of `Store.at` ends."""

    def __init__(self, store: Store, key: str):
        self._store = store
        self._key = key

    def take(self, read: Callable[[Entry], T]) -> T | None:
        """What `read` makes of the entry; None where there is none that is whole.

        Args:
            read: raises OSError, ValueError, KeyError, TypeError or IndexError if the entry is not
                what it should be: then it is deleted.
        """
        place = self._store.place(self._key)
        if not os.path.lexists(place):
            return None
        try:
            found = read(read_entry(place, self._key))
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            with contextlib.suppress(OSError):
                delete_entry(place)
            return None
        with contextlib.suppress(OSError):
            os.utime(place)  # used now: what was used longest ago is deleted first
        return found

    def keep(self, value: Any, fill: Callable[[Path], None] | None = None) -> None:
        """Keep an entry, or note why that is impossible.

        Args:
            value: what JSON can hold.
            fill: writes the entry's files into an empty folder, each called by a number and a
                suffix, as '0.keras'.
        """
        self._store.keep(self._key, value, fill)


def _reason(error: Exception) -> str:
    if isinstance(error, ForeignError):
        return "a lock's file is not kd-edge's"
    return getattr(error, "strerror", None) or str(error)
