"""HDF5, as PyTorch and MATLAB 7.3 users keep signals: read by h5py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kd_edge.base.errors import require
from kd_edge.signals.channels import bad_format, damaged
from kd_edge.signals.formats.apart import load_apart
from kd_edge.signals.formats.arrays import Arrays, Options, recordings_of
from kd_edge.signals.recording import Recording
from kd_edge.signals.source import peek, too_large, unpacked_bound

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MOST_ARRAYS = 10_000


def sniff(path: Path) -> bool:
    """Whether the file begins as HDF5 does."""
    return path.is_file() and peek(path, 8) == _SIGNATURE


def read(
    path: Path,
    *,
    rate_hz: float | None = None,
    layout: str | None = None,
    modality: str | None = None,
) -> list[Recording]:
    """The recordings in an HDF5 file; see `arrays.recordings_of` for their forms.

    A group that holds arrays of its own is a recording or a set of recordings of its own. Rates and
    units may stand as attributes of an array, of its group or of the file.

    Raises:
        KdEdgeError KD_NO_FILE, KD_MISSING_PACKAGE (h5py), KD_BAD_FORMAT, KD_BAD_SAMPLES.
    """
    where = str(path)
    held, options = load_apart(__name__, path, "HDF5"), Options(rate_hz, layout, modality)
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, array in held.arrays.items():
        groups.setdefault(name.rpartition("/")[0], {})[name.rpartition("/")[2]] = array
    recordings = []
    for group, arrays in groups.items():
        inside = f"{group}/" if group else ""
        facts = {name: held.facts[inside + name] for name in arrays}
        # What is said of the file holds in its groups, unless they say otherwise.
        facts[""] = {**held.facts[""], **held.facts.get(group, {})}
        place = f"{where}/{group}" if group else where
        recordings += recordings_of(Arrays(arrays, facts), place, options)
    if not recordings:
        raise bad_format(where, "it holds no array", "save arrays of samples and channels")
    return recordings


def extract(path: Path, *, matlab: bool = False) -> Arrays:
    """The arrays of a file by their path in it, and the attributes of arrays and groups.

    Args:
        matlab: MATLAB's: its axes are turned, its characters are numbers, its objects left out.

    Raises:
        as `read`.
    """
    h5py = require("h5py", extra="formats", purpose="reading HDF5 and MATLAB 7.3 files")
    where = str(path)
    arrays: dict[str, np.ndarray] = {}
    facts: dict[str, dict[str, object]] = {}
    left = bound = unpacked_bound(path.stat().st_size)
    with damaged(where, "HDF5"), h5py.File(path, "r") as opened:
        facts[""] = _attributes(opened)
        for name, item in _items(opened, h5py, where):
            facts[name] = _attributes(item)
            if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "iufSUO":
                continue
            if item.is_virtual or item.external:
                raise bad_format(where, f"'{name}' lies in another file", "save it in one file")
            left -= item.size * max(item.dtype.itemsize, 1)
            if left < 0:
                raise too_large(where, bound)
            array = _array(item, facts[name], matlab=matlab)
            if array is not None:
                arrays[name] = array
    return Arrays(arrays, facts)


def _items(opened: Any, h5py: Any, where: str) -> list[tuple[str, Any]]:
    """(path, group or array) of all that lies in the file itself; links out of it are not taken."""
    found, groups = [], [("", opened)]
    while groups:
        prefix, group = groups.pop(0)
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink) or name[:1] == "#":
                continue
            item = group[name]
            found.append((prefix + name, item))
            if len(found) > _MOST_ARRAYS:
                raise bad_format(where, f"more than {_MOST_ARRAYS} arrays", "keep fewer in a file")
            if isinstance(item, h5py.Group):
                groups.append((f"{prefix}{name}/", item))
    return found


def _attributes(item: Any) -> dict[str, object]:
    """Short ones: numbers and texts."""
    known = {}
    for key in item.attrs:
        identity = item.attrs.get_id(key)
        if int(np.prod(identity.shape, dtype=np.float64)) <= 1:
            known[key] = item.attrs[key]
    return known


def _array(item: Any, said: dict[str, object], *, matlab: bool) -> np.ndarray | None:
    """The numbers or texts of an array; None for what is neither."""
    if not matlab:
        if item.dtype.kind != "O":
            return item[()] if item.shape else np.atleast_1d(item[()])
        if item.dtype.metadata is None or item.dtype.metadata.get("vlen") not in (str, bytes):
            return None
        return np.atleast_1d(item.asstr(errors="replace")[()]).astype(str)
    kind = said.get("MATLAB_class", b"")
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
    if kind == "char":
        codes = np.asarray(item[()]).T.reshape(-1)
        return np.array(["".join(chr(int(code)) for code in codes if 0 < code < 0xD800)])
    if item.dtype.kind not in "iuf" or kind in ("cell", "struct") or "MATLAB_empty" in said:
        return None
    return np.asarray(item[()]).T
