"""Test windows kept in a bundle with its models' answers, so that `bench` needs no recordings."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.files import atomic_path
from kd_edge.base.pixels import NO_CLASS
from kd_edge.base.untrusted import load_arrays, parse_json
from kd_edge.examples import Examples, Groups
from kd_edge.pipeline.bundle import MANIFEST_FILE, Manifest, altered

WINDOWS_FILE = "bench.npz"
PARITY_PART = "parity windows"


@dataclass(frozen=True, eq=False)
class StoredWindows:
    """Test windows with the trained models' answers, so that `bench` needs no recordings.

    Attributes:
        parts: part name -> normalised windows; `PARITY_PART` is the one for parity.
        logits: model name -> part name -> (n, classes) float32, from Keras at build time.
    """

    parts: dict[str, Examples]
    logits: dict[str, dict[str, np.ndarray]]


def save_windows(path: Path, stored: StoredWindows) -> None:
    """Write test windows and stored answers as one NPZ file without pickles."""
    arrays: dict[str, np.ndarray] = {}
    meta = []
    for index, (name, windows) in enumerate(stored.parts.items()):
        for position, array in enumerate(windows.inputs.values()):
            arrays[f"{index}/input/{position}"] = array
        arrays[f"{index}/labels"] = windows.truth
        arrays[f"{index}/recordings"] = windows.groups.recording
        arrays[f"{index}/subjects"] = windows.groups.subject
        arrays[f"{index}/sessions"] = windows.groups.session
        arrays[f"{index}/contents"] = windows.groups.content
        for model, logits in stored.logits.items():
            arrays[f"{index}/logits/{model}"] = logits[name]
        meta.append(
            {
                "name": name,
                "inputs": list(windows.inputs),
                "class_names": windows.class_names,
                "recording_names": windows.groups.names,
                "synthetic": windows.synthetic,
            }
        )
    arrays["meta"] = np.array(json.dumps({"parts": meta, "models": list(stored.logits)}))
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def load_windows(
    path: Path, manifest: Manifest | None = None, *, selectors: Collection[str] = ()
) -> StoredWindows:
    """Read what `save_windows` wrote.

    Args:
        manifest: of the bundle that the file belongs to: its windows are held against it.
        selectors: models with a score a model, where there is no manifest yet.

    Raises:
        KdEdgeError KD_BUNDLE_ALTERED: the file is not such, or its windows do not fit together.
    """
    try:
        stored = _stored(load_arrays(path))
        for windows in stored.parts.values():
            _check_windows(windows)
        roles = manifest.models if manifest else ()
        _check_answers(stored, {m.name for m in roles if m.role == "selector"} | {*selectors})
        if manifest is not None:
            _check_fit(stored, manifest)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise altered(path, f"{type(error).__name__}: {error}") from error
    return stored


def _stored(kept: dict[str, np.ndarray]) -> StoredWindows:
    meta = parse_json(str(kept["meta"]))
    parts, logits = {}, {model: {} for model in meta["models"]}
    for index, part in enumerate(meta["parts"]):
        parts[part["name"]] = Examples(
            inputs={
                name: kept[f"{index}/input/{position}"]
                for position, name in enumerate(part["inputs"])
            },
            truth=kept[f"{index}/labels"],
            groups=_groups(kept, index, part["recording_names"]),
            class_names=tuple(part["class_names"]),
            synthetic=bool(part["synthetic"]),
        )
        for model in meta["models"]:
            logits[model][part["name"]] = kept[f"{index}/logits/{model}"]
    return StoredWindows(parts, logits)


def _groups(kept: dict[str, np.ndarray], index: int, names: list[str]) -> Groups:
    """Groups of a part's windows. Bundles of earlier versions have no sessions and contents."""
    recording = kept[f"{index}/recordings"]
    unknown = np.full(recording.shape, "")
    return Groups(
        recording=recording,
        subject=kept[f"{index}/subjects"],
        session=kept.get(f"{index}/sessions", unknown),
        content=kept.get(f"{index}/contents", unknown),
        names=tuple(names),
    )


def _check_windows(windows: Examples) -> None:
    """Refuse arrays that do not belong to one set of windows."""
    count, groups = len(windows), windows.groups
    # A part of an example, such as a pixel, may have no class.
    lowest = 0 if windows.truth.ndim == 1 else NO_CLASS
    for array, shape, low, names in (
        (windows.truth, windows.truth.shape, lowest, windows.class_names),
        (groups.recording, (count,), 0, groups.names),
    ):
        fits = array.shape == shape and np.issubdtype(array.dtype, np.integer)
        if not fits or (array.size and not low <= array.min() <= array.max() < len(names)):
            raise ValueError("an index of its windows names nothing")
    for names in (groups.subject, groups.session, groups.content):
        if names.shape != (count,) or names.dtype.kind != "U":
            raise ValueError("its windows have not one subject, session and content each")
    if not all(isinstance(n, str) for n in (*windows.class_names, *groups.names)):
        raise ValueError("a name in it is no text")
    for array in windows.inputs.values():
        if array.dtype != np.float32 or len(array) != count or not np.isfinite(array).all():
            raise ValueError("its windows are not one finite float32 array an input")


def _check_answers(stored: StoredWindows, selectors: Collection[str]) -> None:
    """A score a class, and of a selector a score a model."""
    for model, logits in stored.logits.items():
        for name, windows in stored.parts.items():
            n_scores = logits[name].shape[-1] if model in selectors else len(windows.class_names)
            of = windows.truth.shape[:1] if model in selectors else windows.truth.shape
            expected = (*of, n_scores)
            if logits[name].shape != expected or logits[name].dtype.kind != "f":
                raise ValueError("it has not one answer for each truth and class")


def _check_fit(stored: StoredWindows, manifest: Manifest) -> None:
    if PARITY_PART not in stored.parts:
        raise ValueError("it has no parity windows")
    for windows in stored.parts.values():
        if (
            windows.class_names != manifest.class_names
            or windows.input_shapes != manifest.input_shapes
        ):
            raise ValueError(f"its windows are not the ones that {MANIFEST_FILE} describes")
