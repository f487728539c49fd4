"""Reading what somebody else may have made: bounded, regular files only, and never code.

Everything here raises OSError or ValueError with a sentence; the caller says which file of what it
was, and what to do.
"""

from __future__ import annotations

import errno
import json
import lzma
import math
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

# docs/reliability.md has these bounds.
MOST_TEXT_BYTES = 64_000_000
MOST_ARRAY_BYTES = 4_000_000_000
MOST_KERAS_BYTES = 1_000_000_000
_DEEPEST = 100


def read_regular(path: Path, *, most_bytes: int = MOST_TEXT_BYTES, follow: bool = True) -> bytes:
    """The whole content of a regular file.

    Args:
        most_bytes: a larger file is refused.
        follow: a symbolic link is followed; False refuses one.

    Raises:
        OSError: it cannot be read, is no regular file (a pipe or a device may never end), or is
            too large.
    """
    with open_regular(path, follow=follow) as stream:
        n_bytes = os.fstat(stream.fileno()).st_size
        if n_bytes > most_bytes:
            raise OSError(errno.EFBIG, f"it is larger than {most_bytes:,} bytes")
        return stream.read(n_bytes)  # room is made for as many as are asked for


def open_regular(path: Path, *, follow: bool = True) -> IO[bytes]:
    """A regular file's bytes; `follow` as `read_regular`. Raises OSError: it is not one."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not follow:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no regular file")
    return os.fdopen(handle, "rb")


def parse_json(text: str | bytes) -> Any:
    """What a JSON text says; numbers are finite, and text is Unicode.

    Raises:
        ValueError: it is not JSON, holds NaN or an endless number, half a surrogate pair, or is
            nested more than 100 deep.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    try:
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite)
        check_depth(value)
    except RecursionError as error:
        raise ValueError(f"it is nested more than {_DEEPEST} deep") from error
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def read_json(path: Path, *, follow: bool = True) -> Any:
    """`parse_json` of a regular file of at most 64 MB. Raises OSError, ValueError."""
    return parse_json(read_regular(path, follow=follow))


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large a number")
    return value


def check_depth(value: Any) -> None:
    """Refuse dictionaries and lists in each other more than 100 deep. Raises ValueError."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [item for holder in level for item in _items(holder)]
        if not level:
            return
    raise ValueError(f"it is nested more than {_DEEPEST} deep")


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def check_zip(path: Path, *, most_bytes: int) -> None:
    """Refuse a zip archive that is too large when unpacked, before anything is unpacked.

    Raises:
        OSError, ValueError: no such archive, or too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(member.file_size for member in archive.infolist())
    except _DAMAGED as error:
        raise ValueError(f"it is not a whole zip archive: {error}") from error
    if total > most_bytes:
        raise ValueError(f"it unpacks to {total:,} bytes, more than {most_bytes:,}")


def load_arrays(path: Path, *, most_bytes: int | None = MOST_ARRAY_BYTES) -> dict[str, np.ndarray]:
    """The arrays of an NPZ file by name, of whatever shape and unit; never pickled objects.

    Args:
        most_bytes: of all arrays together; a larger file is refused before it is unpacked. None:
            as large as the file, which kd-edge has written uncompressed.

    Raises:
        OSError, ValueError: it cannot be read, is damaged, or is too large.
    """
    import numpy as np

    # Opened here, because NumPy leaves a file open that turns out damaged.
    with open_regular(path) as stream:
        file_bytes = os.fstat(stream.fileno()).st_size
        check_zip(path, most_bytes=file_bytes if most_bytes is None else most_bytes)
        try:
            with zipfile.ZipFile(stream) as archive:
                for member in archive.infolist():
                    check_array(archive, member)
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except _DAMAGED as error:
            raise ValueError(f"it is not a whole NPZ file: {error}") from error


def check_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Refuse an array whose header asks for more memory than its member has bytes.

    NumPy makes room for as many numbers as the header states, whatever follows it.

    Raises:
        ValueError, and whatever NumPy raises for a damaged header.
    """
    from numpy.lib import format as npy

    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read is None:
            raise ValueError(f"{member.filename} is no array of a version that is known")
        shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError(f"{member.filename} holds Python objects, which are never loaded")
    if min(shape, default=0) < 0 or math.prod(shape) * max(dtype.itemsize, 1) > member.file_size:
        raise ValueError(f"{member.filename} is shorter than its shape {shape}")


_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ValueError,
    KeyError,
    IndexError,
    EOFError,
    RuntimeError,  # an encrypted member
    NotImplementedError,  # a kind of compression
    OverflowError,
    SyntaxError,  # NumPy's header is a Python literal
    TypeError,
)
