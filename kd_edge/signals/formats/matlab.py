"""MATLAB files: to version 7.2 read by SciPy, 7.3 by h5py.

`unpacked` bounds what a packed file may ask for: it writes the file anew without compression.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.channels import bad_format, damaged
from kd_edge.signals.formats import hdf5
from kd_edge.signals.formats.apart import load_apart
from kd_edge.signals.formats.arrays import Arrays, Options, recordings_of
from kd_edge.signals.recording import Recording
from kd_edge.signals.source import peek, read_bytes, too_large, unpacked_bound

_VERSION_5, _VERSION_73 = b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"
_HEADER_BYTES = 128
_COMPRESSED = 15


def sniff(path: Path) -> bool:
    """Whether the file's first bytes are those of MATLAB 5 to 7.3."""
    return path.is_file() and peek(path, 19) in (_VERSION_5, _VERSION_73)


def read(
    path: Path,
    *,
    rate_hz: float | None = None,
    layout: str | None = None,
    modality: str | None = None,
) -> list[Recording]:
    """The recordings in a MATLAB file's matrices; see `arrays.recordings_of` for their forms.

    Raises:
        KdEdgeError KD_NO_FILE, KD_TRUNCATED, KD_BAD_FORMAT, KD_BAD_SAMPLES; KD_MISSING_PACKAGE
            (h5py, for 7.3).
    """
    return recordings_of(load(path), str(path), Options(rate_hz, layout, modality))


def load(path: Path) -> Arrays:
    """The matrices of a MATLAB file; cells, structures and objects are left out.

    Raises:
        as `read`.
    """
    return load_apart(__name__, path, "MATLAB")


def extract(path: Path) -> Arrays:
    """What `load` gives, by libraries that a damaged file may crash."""
    where = str(path)
    if peek(path, 19) == _VERSION_73:
        return hdf5.extract(path, matlab=True)
    content = read_bytes(path)
    with damaged(where, "MATLAB"):
        from scipy.io import loadmat

        plain = unpacked(content, where)
        found = loadmat(io.BytesIO(plain), chars_as_strings=True)
    arrays = {
        name: np.ascontiguousarray(value)
        for name, value in found.items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "iufbUS"
    }
    return Arrays({n: a.astype("u1") if a.dtype.kind == "b" else a for n, a in arrays.items()})


def unpacked(content: bytes, where: str) -> bytes:
    """The same MATLAB 5 file with every element as it is when it is not compressed.

    Raises:
        KdEdgeError KD_TRUNCATED, KD_BAD_FORMAT: it unpacks to more than `unpacked_bound`.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        raise bad_format(where, "its header states no byte order", "save the file again")
    left = bound = unpacked_bound(len(content))
    pieces, place = [content[:_HEADER_BYTES]], _HEADER_BYTES
    while place < len(content):
        if len(content) < place + 8:
            raise _cut(where, place)
        kind, n_bytes = struct.unpack_from(f"{order}II", content, place)
        end = place + 8 + n_bytes
        if end > len(content):
            raise _cut(where, place)
        if kind == _COMPRESSED:
            opened = zlib.decompressobj()
            piece = opened.decompress(content[place + 8 : end], left + 1)
            if not opened.eof and len(piece) <= left:
                raise _cut(where, place)
        else:
            piece = content[place:end]
        left -= len(piece)
        if left < 0:
            raise too_large(where, bound)
        pieces.append(piece)
        place = end
    return b"".join(pieces)


def _cut(where: str, place: int) -> KdEdgeError:
    return KdEdgeError(
        "KD_TRUNCATED",
        f"the file ends in the middle of the element at byte {place}",
        where=where,
        hint="save or copy the file again",
    )
