"""One build at a time in an output folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import output_error

LOCK_FILE = ".lock"
# What a build writes: its process, and nothing until then.
_OURS = re.compile(rb"([0-9]{1,20}\n)?")
_LONGEST_BYTES = 32


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder, which is made where it is absent, while the block runs.

    The lock is the kernel's, on a file that names the process: a process that dies gives it back,
    and a file that it left behind stops nobody.

    Raises:
        KdEdgeError KD_OUTPUT: another process holds it, the folder cannot be written, or its .lock
            is a link or holds something else: that is neither written nor deleted.
    """
    path = folder / LOCK_FILE
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = _take(path)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _foreign(path) from error
        raise output_error(path, error) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)
        if made:
            with contextlib.suppress(OSError):  # it holds something: then it stays
                folder.rmdir()


def _take(path: Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        try:
            _lock(handle, path)
            # Whoever held it before may have removed this very file: then the lock holds nothing.
            if os.path.lexists(path) and os.path.samestat(os.fstat(handle), os.lstat(path)):
                os.truncate(handle, 0)
                os.write(handle, f"{os.getpid()}\n".encode("ascii"))
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _lock(handle: int, path: Path) -> None:
    """Take the lock of a file that can only be a build's."""
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise _foreign(path)
    said = os.pread(handle, _LONGEST_BYTES, 0)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = said.decode("ascii", "replace").strip() or "unknown"
        raise KdEdgeError(
            "KD_OUTPUT",
            f"another build works in {path.parent} (process {holder})",
            where=str(path),
            hint="wait until it ends, or name another folder with --out",
        ) from error
    if not _OURS.fullmatch(said):
        raise _foreign(path)


def _foreign(path: Path) -> KdEdgeError:
    return KdEdgeError(
        "KD_OUTPUT",
        f"{path.name} is not kd-edge's: it is a link, no plain file, or holds something else",
        where=str(path),
        hint="move it away, or name another folder with --out",
    )
