"""Training state on disk after each epoch: a kill loses at most one epoch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.files import atomic_path
from kd_edge.base.untrusted import load_arrays, parse_json
from kd_edge.examples.stored import OnDisk


@dataclass(frozen=True, eq=False)
class State:
    """Everything that the next epoch depends on.

    Attributes:
        key: digest of what is trained on what and how; another one's state is of no use.
        history: name -> one value an epoch that ended.
        variables: of the model, each of its own shape; its dropout generators among them.
        optimizer: variables of the optimizer, each of its own shape.
        best: the model's weights after its best epoch, in the shapes of its variables.
    """

    key: str
    history: dict[str, list[float]]
    variables: Sequence[np.ndarray]
    optimizer: Sequence[np.ndarray]
    best: Sequence[np.ndarray]


_GROUPS = ("variables", "optimizer", "best")


def save(path: Path, state: State) -> None:
    """Write it at once, or leave what was there. Raises KD_OUTPUT as `files.atomic_path`."""
    header = json.dumps({"key": state.key, "history": state.history})
    arrays = {
        f"{group}.{index}": array
        for group in _GROUPS
        for index, array in enumerate(getattr(state, group))
    }
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, header=np.array(header), **arrays)


def load(path: Path, key: str) -> State | None:
    """The state saved under `key`, or None where there is none or the file is another's."""
    try:
        arrays = load_arrays(path, most_bytes=None)
        header = parse_json(str(arrays["header"]))
        if header["key"] != key:
            return None
        groups = {group: [arrays[name] for name in _names(arrays, group)] for group in _GROUPS}
        history = {str(name): list(values) for name, values in header["history"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not a checkpoint: it will be written over after the first epoch
    return State(key=key, history=history, **groups)


def key_of(description: object, arrays: Iterable[np.ndarray | OnDisk]) -> str:
    """SHA-256 of a JSON-able description and of the arrays' shapes, types and values."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode("utf-8"))
    for array in arrays:
        digest.update(f"{array.shape}{array.dtype.str}".encode())
        for block in array.blocks() if isinstance(array, OnDisk) else (array,):
            digest.update(np.ascontiguousarray(block).reshape(-1).view(np.uint8))
    return digest.hexdigest()


def _names(files: Iterable[str], group: str) -> list[str]:
    count = sum(name.startswith(f"{group}.") for name in files)
    return [f"{group}.{index}" for index in range(count)]
