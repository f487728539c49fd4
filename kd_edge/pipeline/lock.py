"""Locks between processes: the operating system's, on small files that name who holds them.

The `filelock` library takes and gives them. What it does not do is done here: a file that is not a
lock's is left alone, and an error says who holds one that is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import lock_descriptor

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import output_error

LOCK_FILE = ".lock"
# What a holder writes: its process, and nothing until then.
_OURS = re.compile(rb"([0-9]{1,20}\n)?")
_LONGEST_BYTES = 32
# Windows has no flags against links and pipes; it asks for one to leave line ends alone.
_FLAGS = os.O_RDWR | os.O_CREAT
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
    _FLAGS |= getattr(os, _flag, 0)


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
        with contextlib.suppress(PermissionError):  # Windows deletes no open file: it stays
            path.unlink(missing_ok=True)
        os.close(handle)


def _take(path: Path, wait: Callable[[str], None] | None) -> int:
    while True:
        if path.is_symlink():
            raise ForeignError
        try:
            handle = os.open(path, _FLAGS, 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise ForeignError from error
            raise
        try:
            _lock(handle, wait)
            # Whoever held it before may have removed this very file: then the lock holds nothing.
            if os.path.lexists(path) and os.path.samestat(os.fstat(handle), os.lstat(path)):
                os.ftruncate(handle, 0)
                os.lseek(handle, 0, os.SEEK_SET)
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
    said = _said(handle)
    if not lock_descriptor(handle, blocking=False):
        holder = said.decode("ascii", "replace").strip() or "unknown"
        if wait is None:
            raise BusyError(holder)
        wait(holder)
        lock_descriptor(handle)
        said = _said(handle)
    if not _OURS.fullmatch(said):
        raise ForeignError


def _said(handle: int) -> bytes:
    with contextlib.suppress(PermissionError):  # Windows does not let others read it meanwhile
        os.lseek(handle, 0, os.SEEK_SET)
        return os.read(handle, _LONGEST_BYTES)
    return b""


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
