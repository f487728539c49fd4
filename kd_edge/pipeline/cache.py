"""Windows kept between runs, so that recordings are read and filtered once."""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import platformdirs

from kd_edge.base.files import atomic_path
from kd_edge.base.front_end import StreamConstants
from kd_edge.base.untrusted import load_arrays, parse_json
from kd_edge.examples import Examples, Groups
from kd_edge.pipeline.stages import key_of
from kd_edge.signals.recording import RecordingInfo

# Of all datasets together; docs/recordings.md says so.
LARGEST_BYTES = 2_000_000_000
# Kept windows, and what a crash has left of some.
_OURS = re.compile(r"[0-9a-f]{64}\.npz|\.writing-\w+\.npz")


@dataclass(frozen=True, eq=False)
class Dataset:
    """All examples of a dataset, before any split or normaliser.

    Attributes:
        examples: not normalised.
        designs: the front end of each modality that a model input takes.
        recordings: `examples.groups.recording` indexes them.
        key: digest of everything that the examples depend on.
    """

    examples: Examples
    designs: tuple[StreamConstants, ...]
    recordings: tuple[RecordingInfo, ...]
    key: str


def cache_folder() -> Path:
    """Where windows are kept between runs."""
    return Path(platformdirs.user_cache_dir("kd-edge")) / "windows"


def save(dataset: Dataset, place: Path | None) -> None:
    """Keep a dataset, and delete the ones used longest ago while all together are too large.

    Args:
        place: where its recordings lie, by which they are named; no part of what they are.

    Raises:
        KdEdgeError KD_OUTPUT: the folder cannot be written.
    """
    path = _path(dataset.key, place)
    examples = dataset.examples
    meta = {
        "key": dataset.key,
        "class_names": examples.class_names,
        "designs": [asdict(design) for design in dataset.designs],
        "recordings": [asdict(recording) for recording in dataset.recordings],
        "inputs": list(examples.inputs),
    }
    arrays = {f"input{i}": array for i, array in enumerate(examples.inputs.values())}
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            meta=np.array(json.dumps(meta)),
            truth=examples.truth,
            owners=examples.groups.recording,
            **arrays,
        )
    _make_room(path)


def load(key: str, place: Path | None) -> Dataset | None:
    """The dataset that `save` kept, or None where there is none that can be read."""
    from pydantic import TypeAdapter

    path = _path(key, place)
    try:
        kept = load_arrays(path, most_bytes=None)
        meta = parse_json(str(kept["meta"]))
        arrays = {name: kept[f"input{i}"] for i, name in enumerate(meta["inputs"])}
        truth, owners = kept["truth"], kept["owners"]
        recordings = TypeAdapter(tuple[RecordingInfo, ...]).validate_python(meta["recordings"])
        designs = TypeAdapter(tuple[StreamConstants, ...]).validate_python(meta["designs"])
        examples = Examples(
            inputs=arrays,
            truth=truth,
            groups=Groups.of(owners, recordings),
            class_names=tuple(meta["class_names"]),
            synthetic=any(r.synthetic for r in recordings),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        # Cut short or foreign: made again.
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # used now: what was used longest ago is deleted first
    return Dataset(examples, designs, recordings, key)


def _path(key: str, place: Path | None) -> Path:
    return cache_folder() / f"{key_of(key, place and str(place.resolve()))}.npz"


def _make_room(newest: Path) -> None:
    """Delete what was used longest ago until the rest fits; the newest stays however large."""
    kept = []
    for path in cache_folder().glob("*.npz"):
        if not _OURS.fullmatch(path.name) or path.is_symlink():
            continue
        with contextlib.suppress(FileNotFoundError):  # another process made room as well
            kept.append((path.stat().st_mtime_ns, path.stat().st_size, path))
    total = sum(size for _, size, _ in kept)
    for _, size, path in sorted(kept):
        if total <= LARGEST_BYTES:
            return
        if path != newest:
            path.unlink(missing_ok=True)
            total -= size
