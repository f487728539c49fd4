"""Recordings: readers for Delsys exports, plain files and public sets, all with one interface.

Adding a reader is a module with `sniff(path) -> bool` and `read(path, *, …) -> list[Recording]`,
and one line in `READERS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.registry import Registry
from kd_edge.signals.recording import Recording, Stream

__all__ = ["READERS", "Reader", "Recording", "Stream", "read"]


@dataclass(frozen=True)
class Reader:
    """One kind of recordings; its module is imported when it is first used.

    Attributes:
        name: as in recipes and `--reader`.
        summary: what it reads, in a few words.
        module: has `read(path, *, …)` and `sniff(path)`.
        needs_path: False for a set that an installed package brings.
        endings: of the names of its files, in lower case, where a file is one recording or more.
    """

    name: str
    summary: str
    module: str
    needs_path: bool = True
    endings: tuple[str, ...] = ()

    @property
    def read(self) -> Callable[..., list[Recording]]:
        """`read(path, *, …) -> list[Recording]`; the keyword arguments are the reader's options."""
        return importlib.import_module(self.module).read

    @property
    def options(self) -> list[str]:
        """Names of the options that `read` takes."""
        return list(signature(self.read).parameters)[1:]

    @property
    def options_for(self) -> Callable[[Path, Mapping[str, object]], dict[str, object]]:
        """`options_for(path, options) -> dict`: what of a recipe's options fits other data."""
        module = importlib.import_module(self.module)
        return getattr(module, "options_for", lambda path, options: dict(options))

    @property
    def sniff(self) -> Callable[[Path], bool]:
        """`sniff(path) -> bool`: whether this reader takes what lies there; never raises."""
        return importlib.import_module(self.module).sniff

    @property
    def data_file(self) -> Callable[[], Path]:
        """`data_file() -> Path` of a reader without `needs_path`: what its package brings."""
        return importlib.import_module(self.module).data_file


def _file(name: str, summary: str, module: str, *endings: str) -> Reader:
    return Reader(name, summary, f"{__name__}.{module}", endings=endings)


_CSV = (".csv", ".csv.gz")
_ALL = (
    _file("delsys-csv", "Trigno Discover CSV export", "delsys", *_CSV),
    _file("delsys-api-csv", "CSV of the vendor's Python example", "delsys_api", *_CSV),
    _file("delsys-native", "Trigno Discover's own files", "formats.shpf", ".delsys", ".shpf"),
    _file("emgworks-csv", "EMGworks CSV export", "emgworks", *_CSV),
    _file("npz", "one NPZ file", "npz", ".npz"),
    _file("csv", "one plain CSV file", "plain_csv", *_CSV),
    _file("xdf", "XDF, of Lab Streaming Layer", "formats.xdf", ".xdf", ".xdf.gz"),
    Reader("folder", "folder with labels.csv", "kd_edge.signals.folder"),
    _file("edf", "EDF, EDF+ and BDF", "formats.edf", ".edf", ".bdf"),
    Reader("ninapro", "Ninapro DB2, DB3, DB5, DB7", "kd_edge.signals.sets.ninapro"),
    _file("matlab", "MATLAB matrices, to 7.3", "formats.matlab", ".mat"),
    _file("c3d", "C3D, its analog channels", "formats.c3d", ".c3d"),
    _file("wfdb", "WFDB, of PhysioNet", "formats.wfdb", ".hea"),
    _file("otb", "OTB+, of OT Bioelettronica", "formats.otb", ".otb+"),
    _file("hdf5", "HDF5 arrays", "formats.hdf5", ".h5", ".hdf5"),
    Reader("isl-alphabet-myo", "Italian sign alphabet", "kd_edge.signals.sets.isl_alphabet_myo"),
    Reader("threedc", "3DC armband, EMG and orientation", "kd_edge.signals.sets.threedc"),
    Reader("myo-cotallard", "Myo armband, many subjects", "kd_edge.signals.sets.myo_cotallard"),
    Reader("myo-pjm", "Polish signs on a Myo armband", "kd_edge.signals.sets.myo_pjm"),
    Reader("myo-longterm", "armband over five days", "kd_edge.signals.sets.myo_longterm"),
    Reader("watch", "shoulder exercises, from seglearn", "kd_edge.signals.sets.watch", False),
    Reader("files", "folder of files without labels", "kd_edge.signals.loose"),
)
# Name -> reader, in the order in which they are asked whether they know a path.
READERS: Registry[Reader] = Registry("reader", _ALL, home=__name__)


def read(path: Path | None, reader: str | None = None, **options) -> list[Recording]:
    """The recordings at `path`, by the named reader or the first that knows them.

    Args:
        path: file or folder; None only for a reader without `needs_path`.
        reader: a name in `READERS`.
        options: the reader's own.

    Raises:
        KdEdgeError KD_NO_FILE, KD_UNKNOWN_NAME (reader), KD_USAGE (option), KD_EMPTY_FOLDER,
            KD_BAD_FORMAT (no reader knows it), and what the reader raises.
    """
    chosen = find_reader(path) if reader is None else READERS.find(reader, where="reader")
    check_options(chosen, options)
    if path is None and chosen.needs_path:
        raise KdEdgeError(
            "KD_NO_FILE", f"the reader '{chosen.name}' needs a path", hint="name a file or folder"
        )
    return chosen.read(None if path is None else Path(path), **options)


def find_reader(path: Path) -> Reader:
    """The first reader that knows `path`; raises as `read`."""
    from kd_edge.signals.source import must_exist, peek

    path = must_exist(Path(path))
    for reader in READERS.values():
        if reader.sniff(path):
            return reader
    if path.is_dir():
        from kd_edge.signals.folder import empty_folder

        raise empty_folder(path)
    if peek(path, 2) in (b"\xff\xfe", b"\xfe\xff"):
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"{path.name} is UTF-16, and UTF-8 was expected",
            where=str(path),
            hint="save it as UTF-8: Excel calls that 'CSV UTF-8 (comma delimited)'",
        )
    raise KdEdgeError(
        "KD_BAD_FORMAT",
        f"no reader knows {path.name}",
        where=str(path),
        hint=f"name one with --reader: {', '.join(READERS)}",
    )


def check_options(reader: Reader, options: Iterable[str]) -> None:
    """Raises KdEdgeError KD_USAGE where the reader has no such option, with the nearest."""
    for option in options:
        if option not in reader.options:
            raise KdEdgeError(
                "KD_USAGE",
                f"the reader '{reader.name}' has no option '{option}'"
                f"{nearest(option, reader.options)}",
                hint=f"its options: {', '.join(reader.options) or 'none'}",
            )
