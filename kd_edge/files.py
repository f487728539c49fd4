"""Writing files so that nothing is ever half-written, and naming their content."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kd_edge.errors import KdEdgeError

# The process's, read once: reading it means setting it, which other threads would see.
_UMASK = os.umask(0)
os.umask(_UMASK)


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that is moved there when the block ends without an error.

    Raises:
        KdEdgeError KD_OUTPUT: the place cannot be written (permission, disk full, not a folder).
            An error of the block that names another file passes as it is.
    """
    path = Path(path)
    temporary = _temporary_beside(path)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, path)
    except OSError as error:
        if error.filename in (None, str(temporary), temporary):
            raise output_error(path, error) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _temporary_beside(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The suffix stays last: NumPy and Keras choose the format by it.
        handle, name = tempfile.mkstemp(prefix=".writing-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise output_error(path, error) from error
    os.close(handle)
    return Path(name)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file at once, or leave what was there. Raises KD_OUTPUT as `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """`write_bytes` for UTF-8 text with LF line ends."""
    write_bytes(path, content.encode("utf-8"))


def check_folder(path: Path) -> None:
    """Refuse a folder that could not be written; nothing is made.

    Raises:
        KdEdgeError KD_OUTPUT: it or a folder on the way to it is a file, or may not be written.
    """
    nearest = next(place for place in (path, *path.parents) if place.exists())
    if not nearest.is_dir():
        raise output_error(path, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    if not os.access(nearest, os.W_OK):
        raise output_error(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def output_error(path: Path, error: OSError) -> KdEdgeError:
    """The error for a place that cannot be written."""
    return KdEdgeError(
        "KD_OUTPUT",
        f"cannot write {Path(path).name}: {error.strerror or error}",
        where=str(path),
        hint="free some space, or name a place that you may write",
    )


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """Hexadecimal SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
