"""Writing files so that nothing is ever half-written, naming their content, and trusting no name.

A file is written under a temporary name, brought to the disk, moved into place, and the folder is
brought to the disk too: after a power cut there is the old file or the new one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from kd_edge.base.errors import KdEdgeError

# The process's, read once: reading it means setting it, which other threads would see.
_UMASK = os.umask(0)
os.umask(_UMASK)

# Longer names than file systems take.
_LONGEST_PART_BYTES = 255
_LONGEST_NAME_BYTES = 1024
_DRIVE = re.compile(r"[A-Za-z]:")


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that is moved there when the block ends without an error.

    The content is on the disk before it gets its name. A symbolic link at `path` is replaced, and
    what it points to stays as it is.

    Raises:
        KdEdgeError KD_OUTPUT: the place cannot be written (permission, disk full, not a folder).
            An error of the block that names another file passes as it is.
    """
    path = Path(path)
    temporary = _temporary_beside(path)
    try:
        yield temporary
        _sync(temporary, os.O_RDWR)  # Windows syncs nothing that is open to be read only
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        if error.filename in (None, str(temporary), temporary):
            raise output_error(path, error) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _temporary_beside(path: Path) -> Path:
    try:
        make_folder(path.parent)
        # The suffix stays last: NumPy and Keras choose the format by it.
        handle, name = tempfile.mkstemp(prefix=".writing-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise output_error(path, error) from error
    os.close(handle)
    return Path(name)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each on the disk before it is used. Raises OSError."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in missing:
        sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, if its file system can do that."""
    # Windows opens no folder, and some network file systems sync none: their names are safe when
    # `os.replace` returns, or there is nothing that we could do.
    with contextlib.suppress(OSError):
        _sync(folder, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file at once, or leave what was there. Raises KD_OUTPUT as `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """`write_bytes` for UTF-8 text with LF line ends."""
    write_bytes(path, content.encode("utf-8"))


def stays_inside(name: str) -> bool:
    """Whether a name from a file can only mean something below the folder that it is taken from.

    It is relative, in its shortest form, with '/', and without '..'. Links are `own_path`'s matter.
    """
    try:
        parts = [part.encode("utf-8") for part in name.split("/")]
    except UnicodeEncodeError:
        return False
    pure = PurePosixPath(name)
    return (
        pure.as_posix() == name
        and not pure.is_absolute()
        and not {b"", b".", b".."} & set(parts)
        and not {"\\", "\0"} & set(name)
        and not _DRIVE.match(name)
        and len(name.encode("utf-8")) <= _LONGEST_NAME_BYTES
        and all(len(part) <= _LONGEST_PART_BYTES for part in parts)
    )


def own_path(folder: Path, name: str) -> Path:
    """The place of a file or folder that kd-edge owns below `folder`, to be written or deleted.

    Raises:
        KdEdgeError KD_OUTPUT: the name leads out of the folder, or a part of it below the folder is
            a symbolic link.
    """
    if not stays_inside(name):
        raise KdEdgeError(
            "KD_OUTPUT",
            f"{name!r} leads out of its folder",
            where=str(folder),
            hint="name another folder; nothing was written or deleted",
        )
    place = folder
    for part in PurePosixPath(name).parts:
        place = place / part
        if place.is_symlink():
            raise KdEdgeError(
                "KD_OUTPUT",
                f"{place.name} is a symbolic link, and kd-edge writes and deletes through none",
                where=str(place),
                hint="put the folder or file itself there, or name another folder",
            )
    return place


def remove_own(folder: Path, name: str, sha256: str) -> bool:
    """Delete a file that kd-edge wrote below `folder`, if it still is what was written.

    Args:
        name: below the folder; one that leads out, or through a link, is left alone.
        sha256: of what was written; another content is somebody else's.

    Returns:
        whether it was deleted.

    Raises:
        KdEdgeError KD_OUTPUT: it cannot be deleted.
    """
    try:
        path = own_path(folder, name)
    except KdEdgeError:
        return False
    try:
        if not is_unaltered(path, sha256):
            return False
        path.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error) from error
    return True


def is_unaltered(path: Path, sha256: str) -> bool:
    """Whether a regular file is there with this content. Raises OSError: it cannot be read."""
    return path.is_file() and sha256_file(path) == sha256


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
