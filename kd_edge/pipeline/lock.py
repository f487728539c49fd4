"""One build at a time in an output folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from kd_edge.errors import KdEdgeError
from kd_edge.files import output_error

LOCK_FILE = ".lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder, which is made where it is absent, while the block runs.

    The lock is the kernel's, on a file that names the process: a process that dies gives it back,
    and a file that it left behind stops nobody.

    Raises:
        KdEdgeError KD_OUTPUT: another process holds it, or the folder cannot be written.
    """
    path = folder / LOCK_FILE
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = _take(path)
    except OSError as error:
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
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise KdEdgeError(
                "KD_OUTPUT",
                f"another build works in {path.parent} (process {holder})",
                where=str(path),
                hint="wait until it ends, or name another folder with --out",
            ) from error
        # Whoever held it before may have removed this very file: then the lock holds nothing.
        if path.exists() and os.fstat(handle).st_ino == path.stat().st_ino:
            os.truncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode("ascii"))
            return handle
        os.close(handle)
