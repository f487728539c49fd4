"""A folder of recordings without labels: each file by the reader that knows it."""

from __future__ import annotations

from pathlib import Path

from kd_edge.signals.folder import empty_folder
from kd_edge.signals.recording import Recording
from kd_edge.signals.source import must_exist


def sniff(path: Path) -> bool:
    """Whether it is a folder that holds at least one recording."""
    return path.is_dir() and bool(_files(path))


def read(path: Path) -> list[Recording]:
    """Every recording in the folder (not below it), by file name, unlabelled unless it says more.

    Raises:
        KdEdgeError KD_NO_FILE, KD_EMPTY_FOLDER, and what the readers of single files raise.
    """
    from kd_edge.signals import read as read_any

    root = must_exist(path)
    files = _files(root) if root.is_dir() else [root]
    if not files:
        raise empty_folder(root)
    return [recording for file in files for recording in read_any(file)]


def _files(root: Path) -> list[Path]:
    from kd_edge.signals import READERS

    endings = tuple(ending for reader in READERS.values() for ending in reader.endings)
    files = sorted(p for p in root.iterdir() if p.is_file() and p.name.lower().endswith(endings))
    # A .delsys archive holds the samples of its .shpf file again.
    archives = {p.stem for p in files if p.suffix.lower() == ".delsys"}
    return [p for p in files if p.suffix.lower() != ".shpf" or p.stem not in archives]
