"""Locks between processes: the kernel's, on small files that name who holds them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import output_error

LOCK_FILE = ".lock"
# What a holder writes: its process, and nothing until then.
_OURS = re.compile(rb"([0-9]{1,20}\n)?")
_LONGEST_BYTES = 32


class BusyError(Exception):
    """Another process holds a lock; `args[0]` names it."""


class ForeignError(Exception):
    """A lock's file is a link, no plain file, or holds something else."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold an output folder, which is made where it is absent, while the block runs.

    A process that dies gives it back, and a file that it left behind stops nobody.

    Raises:
        KdEdgeError KD_OUTPUT: another process holds it, the folder cannot be written, or its .lock
            is a link or holds something else: that is neither written nor deleted.
    """
    path = folder / LOCK_FILE
    made = not folder.exists()
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(path))
        except (OSError, BusyError, ForeignError) as error:
            raise _refused(path, error) from error
        try:
            yield
        finally:
            stack.close()
            if made:
                with contextlib.suppress(OSError):  # it holds something: then it stays
                    folder.rmdir()


@contextlib.contextmanager
def held(path: Path, *, wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock of a file, which is made and deleted again, while the block runs.

    Args:
        wait: told who holds it if another does, before this waits; None: it does not wait.

    Raises:
        BusyError: another process or thread holds it, and `wait` is None.
        ForeignError: the file is not a lock's; it is neither written nor deleted.
        OSError: it cannot be made.
    """
    handle = _take(path, wait)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _take(path: Path, wait: Callable[[str], None] | None) -> int:
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise ForeignError from error
            raise
        try:
            _lock(handle, wait)
            # Whoever held it before may have removed this very file: then the lock holds nothing.
            if os.path.lexists(path) and os.path.samestat(os.fstat(handle), os.lstat(path)):
                os.truncate(handle, 0)
                os.write(handle, f"{os.getpid()}\n".encode("ascii"))
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _lock(handle: int, wait: Callable[[str], None] | None) -> None:
    """Take the lock of a file that can only be a lock's."""
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise ForeignError
    said = os.pread(handle, _LONGEST_BYTES, 0)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = said.decode("ascii", "replace").strip() or "unknown"
        if wait is None:
            raise BusyError(holder) from error
        wait(holder)
        fcntl.flock(handle, fcntl.LOCK_EX)
        said = os.pread(handle, _LONGEST_BYTES, 0)
    if not _OURS.fullmatch(said):
        raise ForeignError


def _refused(path: Path, error: Exception) -> KdEdgeError:
    if isinstance(error, BusyError):
        return KdEdgeError(
            "KD_OUTPUT",
            f"another build works in {path.parent} (process {error.args[0]})",
            where=str(path),
            hint="wait until it ends, or name another folder with --out",
        )
    if isinstance(error, ForeignError):
        return KdEdgeError(
            "KD_OUTPUT",
            f"{path.name} is not kd-edge's: it is a link, no plain file, or holds something else",
            where=str(path),
            hint="move it away, or name another folder with --out",
        )
    return output_error(path, error)
