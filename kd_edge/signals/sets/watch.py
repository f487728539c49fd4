"""Shoulder exercises with a smartwatch, 10 subjects, 7 exercises, from PyPI's `seglearn`.

Burns et al. 2018, arXiv 1802.01489. The package is not imported (it needs scikit-learn): only its
data file is found and read.
"""

from __future__ import annotations

import importlib
import importlib.util
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.recording import Recording, Stream
from kd_edge.signals.sets.parsing import as_samples, not_like_the_set
from kd_edge.signals.source import read_bytes

_EXPECTED = "a pickled dictionary with X, y, y_labels, subject and side"
_RATE_HZ = 50.0
# All that a pickled dictionary of arrays needs. The file is an object array, which NumPy reads only
# with `allow_pickle=True`, and that runs whatever the file names; here nothing else can be named.
_ALLOWED = {
    ("numpy", "dtype"): ("numpy", "dtype"),
    ("numpy", "ndarray"): ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"): ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"): ("numpy._core.multiarray", "_reconstruct"),
    ("_codecs", "encode"): ("_codecs", "encode"),
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module_name}.{global_name}")
        module, name = _ALLOWED[module_name, global_name]
        try:
            return getattr(importlib.import_module(module), name)
        except ImportError:  # NumPy 1.26 still has the old place
            return getattr(importlib.import_module(module_name), global_name)


def sniff(path: Path) -> bool:
    """Whether this is the set's file."""
    return path.is_file() and path.name == "watch_dataset.npy"


def data_file() -> Path:
    """Where the installed package keeps the set.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE: it is not installed.
    """
    spec = importlib.util.find_spec("seglearn")
    if spec is None or not spec.submodule_search_locations:
        raise KdEdgeError(
            "KD_MISSING_PACKAGE",
            "the set 'watch' comes with the package 'seglearn', which is not installed",
            hint="pip install 'kd-edge[watch]'",
        )
    return Path(spec.submodule_search_locations[0]) / "data" / "watch_dataset.npy"


def read(path: Path | None = None) -> list[Recording]:
    """The 140 recordings, by subject, arm and exercise.

    Streams 'acc' (ax, ay, az; g) and 'gyr' (wx, wy, wz; rad/s). The label is the exercise, the
    subject its number, the session the arm ('left', 'right').

    Args:
        path: the set's `watch_dataset.npy`; the installed package's where None.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE, KD_NO_FILE, KD_BAD_FORMAT.
    """
    file = data_file() if path is None else Path(path)
    source = str(file)
    facts = _load(read_bytes(file), source)
    try:
        labels = [str(label) for label in facts["y_labels"]]
        rows = zip(facts["X"], facts["y"], facts["subject"], facts["side"], strict=True)
        recordings = [
            _recording(index, as_samples(x), labels[int(y)], int(subject), bool(side), source)
            for index, (x, y, subject, side) in enumerate(rows)
        ]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise not_like_the_set(source, f"{_EXPECTED}; {error!r:.80}") from error
    return sorted(recordings, key=lambda r: (r.subject, r.session, r.label, r.source))


def _load(content: bytes, source: str) -> dict:
    import io

    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"version {version}")
        shape, _, kind = np.lib.format.read_array_header_1_0(stream)
        if shape != () or not kind.hasobject:
            raise ValueError(f"{kind} array of shape {shape}")
        facts = _ArraysOnly(stream).load()
        return facts.item() if isinstance(facts, np.ndarray) else facts
    except KdEdgeError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise not_like_the_set(source, f"{_EXPECTED}; {error!r:.80}") from error


def _recording(
    index: int, samples: np.ndarray, label: str, subject: int, right: bool, source: str
) -> Recording:
    if samples.ndim != 2 or samples.shape[1] != 6 or not len(samples):
        raise ValueError(f"samples {samples.shape}")
    return Recording(
        streams=(
            Stream("acc", "watch", ("ax", "ay", "az"), samples[:, :3], _RATE_HZ, "g"),
            Stream("gyr", "watch", ("wx", "wy", "wz"), samples[:, 3:], _RATE_HZ, "rad/s"),
        ),
        source=f"{source}/{index}",
        label=label,
        subject=f"{subject:02d}",
        session="right" if right else "left",
    )
