"""Bytes of a recording's file, with every way in which a file can be unreadable named."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.untrusted import read_regular

# What a packed file may unpack to: this much in any case, beyond it so many times its own size, and
# never more than the last. Recordings pack 2 to 20 times; a zip bomb a thousand times and more.
UNPACKED_ALWAYS = 256 << 20
UNPACKED_TIMES = 100
UNPACKED_AT_MOST = 4 << 30
_PIECE = 1 << 20


def must_exist(path: Path) -> Path:
    """`path`, or KD_NO_FILE with the names nearest to it in the same folder."""
    path = Path(path)
    if os.path.exists(path):  # Path.exists raises for a name that is too long
        return path
    parent = path.parent
    if not os.path.isdir(parent):
        hint = f"there is no folder {parent} either; check the path"
    else:
        near = nearest(path.name, sorted(p.name for p in parent.iterdir()))
        hint = f"check the path{near}"
    raise KdEdgeError("KD_NO_FILE", f"no such file or folder: {path}", where=str(path), hint=hint)


def read_bytes(path: Path) -> bytes:
    """The whole content of a file, unpacked where it ends in `.gz`.

    Raises:
        KdEdgeError KD_NO_FILE, KD_TRUNCATED (a cut gzip), KD_BAD_FORMAT (not gzip, empty,
            a folder, a pipe, larger than 4 GiB, unreadable, or unpacks to more than
            `unpacked_bound`).
    """
    path = must_exist(path)
    if path.is_dir():
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"{path.name} is a folder, and one file was expected",
            where=str(path),
            hint="name one file, or the reader that takes this folder",
        )
    try:
        content = read_regular(path, most_bytes=UNPACKED_AT_MOST)
    except OSError as error:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"cannot read {path.name}: {error.strerror or error}",
            where=str(path),
            hint="name a file that you may read, of at most 4 GiB",
        ) from error
    if path.suffix.lower() == ".gz":
        content = _gunzip(content, str(path))
    if not content:
        raise KdEdgeError(
            "KD_BAD_FORMAT", f"{path.name} is empty", where=str(path), hint="export it again"
        )
    return content


def unpacked_bound(packed_bytes: int) -> int:
    """The bytes that a packed file of this size may unpack to."""
    return min(max(UNPACKED_ALWAYS, UNPACKED_TIMES * packed_bytes), UNPACKED_AT_MOST)


def too_large(where: str, bound: int) -> KdEdgeError:
    """The error for a packed file that unpacks to more than its bound."""
    return KdEdgeError(
        "KD_BAD_FORMAT",
        f"the file unpacks to more than {bound / (1 << 20):g} MiB",
        where=where,
        hint="no recording packs so well: get the file again, or unpack it yourself and look at it",
    )


def peek(path: Path, n_bytes: int = 4096) -> bytes:
    """The first bytes of a file (unpacked if `.gz`), or b'' where it cannot be read."""
    try:
        if path.suffix.lower() == ".gz":
            with gzip.open(path, "rb") as stream:
                return stream.read(n_bytes)
        with open(path, "rb") as stream:
            return stream.read(n_bytes)
    except (OSError, EOFError, zlib.error):
        return b""


def decode(content: bytes, where: str, first_row: int = 1) -> str:
    """UTF-8 text, a byte order mark dropped.

    Raises:
        KdEdgeError KD_BAD_FORMAT: another encoding, with the row of the first wrong byte.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            "the file is UTF-16, and UTF-8 was expected",
            where=f"{where}, row {first_row}",
            hint="save it as UTF-8",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = first_row + content.count(b"\n", 0, error.start)
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"byte 0x{content[error.start]:02x} is not UTF-8",
            where=f"{where}, row {row}",
            hint="save the file as UTF-8 (EMGworks and Trigno Discover write it so)",
        ) from error


def members(path: Path, suffix: str | tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """(name, content) of every file with that ending, in an archive or below a folder.

    The names are relative, with '/'. A folder's come sorted, an archive's in its order.

    Raises:
        KdEdgeError KD_TRUNCATED (a cut archive), KD_BAD_FORMAT (no archive, or it unpacks to more
            than `unpacked_bound`), KD_NO_FILE.
    """
    path = must_exist(path)
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file() and file.name.endswith(suffix):
                yield file.relative_to(path).as_posix(), read_bytes(file)
        return
    try:
        left = bound = unpacked_bound(path.stat().st_size)
        with _unpacked(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                left -= member.size  # may be more than what is stored: holes of a sparse file
                if left < 0:
                    raise too_large(str(path), bound)
                if member.isfile() and member.name.endswith(suffix):
                    yield member.name, archive.extractfile(member).read()
    except (EOFError, tarfile.TarError, lzma.LZMAError, zlib.error, OSError) as error:
        raise _archive_error(path, error) from error


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[_Bounded]:
    """The bytes that an archive unpacks to, as far as its bound, once and in order."""
    openers = {b"\x1f\x8b": gzip.open, b"\xfd7": lzma.open, b"BZ": bz2.open}
    with open(path, "rb") as packed:
        start = packed.read(2)
        packed.seek(0)
        with openers.get(start, contextlib.nullcontext)(packed) as stream:
            yield _Bounded(stream, str(path), unpacked_bound(path.stat().st_size))


class _Bounded:
    """Reads from a stream until more has come than was allowed."""

    def __init__(self, stream: BinaryIO, where: str, bound: int):
        self._stream, self._where, self._bound = stream, where, bound
        self._left = bound

    def read(self, n_bytes: int) -> bytes:
        content = self._stream.read(min(n_bytes, self._left + 1))
        self._left -= len(content)
        if self._left < 0:
            raise too_large(self._where, self._bound)
        return content


def set_members(path: Path, archives: str, suffix: str) -> Iterator[tuple[str, str, bytes]]:
    """(source, name, content) of a set's files, from its archives or from where they lie unpacked.

    Args:
        path: one archive, a folder with archives, or a folder with what they hold.
        archives: pattern of the archives' names.
        suffix: of the files wanted.

    Raises:
        KdEdgeError KD_EMPTY_FOLDER: nothing there; else as `members`.
    """
    path = must_exist(path)
    packed = sorted(path.glob(archives)) if path.is_dir() else [path]
    found = False
    for place in packed or [path]:
        for name, content in members(place, suffix):
            found = True
            yield f"{place}/{name}", name, content
    if not found:
        raise KdEdgeError(
            "KD_EMPTY_FOLDER",
            f"{path.name} holds no '{suffix}' file",
            where=str(path),
            hint=f"name the folder of {archives}, one such archive, or where it is unpacked",
        )


def holds_set(path: Path, archives: str, unpacked: str) -> bool:
    """Whether `path` is such an archive, or a folder with one, or with what it unpacks to."""
    if path.is_file():
        return path.match(archives)
    return path.is_dir() and any(
        next(path.glob(pattern), None) is not None for pattern in (archives, unpacked)
    )


def _archive_error(path: Path, error: Exception) -> KdEdgeError:
    text = str(error).lower()
    cut = isinstance(error, EOFError) or "unexpected end" in text or "ended before" in text
    return KdEdgeError(
        "KD_TRUNCATED" if cut else "KD_BAD_FORMAT",
        f"{path.name} {'ends in the middle' if cut else 'is not a readable tar archive'}: {error}",
        where=str(path),
        hint="copy or download the archive again and compare its size",
    )


def _gunzip(content: bytes, where: str) -> bytes:
    try:
        bounded = _Bounded(
            gzip.GzipFile(fileobj=io.BytesIO(content)), where, unpacked_bound(len(content))
        )
        return b"".join(iter(lambda: bounded.read(_PIECE), b""))
    except EOFError as error:
        raise KdEdgeError(
            "KD_TRUNCATED",
            "the gzip file ends in the middle",
            where=where,
            hint="copy the file again and compare its size",
        ) from error
    except (OSError, zlib.error) as error:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"not a readable gzip file: {error}",
            where=where,
            hint="copy the file again, or drop '.gz' from its name if it is not packed",
        ) from error
