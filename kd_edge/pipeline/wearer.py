"""What a board's running normaliser knows of its wearer: shown, kept in a file and given back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import write_text
from kd_edge.base.running import RunningState, is_possible
from kd_edge.base.untrusted import read_json
from kd_edge.link.messages import Worn

_KIND = "kd-edge wearer"


class _Channel(BaseModel):
    model_config = ConfigDict(extra="ignore")

    mean: float
    square: float
    windows: int = Field(ge=0, lt=2**32)


class _Kept(BaseModel):
    kind: str = Field(pattern=f"^{_KIND}$")
    model_sha256: str
    channels: tuple[_Channel, ...] = Field(min_length=1)


def worn_tree(worn: Worn, model_sha256: str) -> dict[str, Any]:
    """What a board knows, as JSON holds it; means and deviations in the training part's units."""
    state = worn.state
    deviation = np.sqrt(np.maximum(state.square - np.square(state.mean, dtype=np.float64), 0))
    return {
        "kind": _KIND,
        "model_sha256": model_sha256,
        "frozen": worn.frozen,
        "channels": [
            {"windows": int(n), "mean": float(m), "square": float(s), "deviation": float(d)}
            for n, m, s, d in zip(state.windows, state.mean, state.square, deviation, strict=True)
        ],
    }


def keep_state(path: Path, tree: dict[str, Any]) -> None:
    """Write what `worn_tree` gave. Raises KD_OUTPUT."""
    write_text(path, json.dumps(tree, indent=1) + "\n")


def kept_state(path: Path, model_sha256: str) -> RunningState:
    """The state that a file keeps.

    Args:
        model_sha256: of the model on the board that it is for.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_FORMAT: it keeps none, or one that no windows lead to.
        KD_BOARD_MODEL: it is another model's.
    """
    try:
        kept = _Kept.model_validate(read_json(path))
    except OSError as error:
        raise KdEdgeError(
            "KD_NO_FILE",
            f"cannot read {path.name}: {error.strerror}",
            where=str(path),
            hint="`kd-edge board normaliser save --file FILE` makes one",
        ) from error
    except (ValueError, ValidationError) as error:
        raise _unlike(path, str(error).splitlines()[0]) from error
    if kept.model_sha256 != model_sha256:
        raise KdEdgeError(
            "KD_BOARD_MODEL",
            "the board runs another model than the one whose normaliser was kept",
            where=f"{path}: {kept.model_sha256[:16]}…, the board: {model_sha256[:16]}…",
            hint="restore it on the model that it is of",
        )
    state = RunningState(
        np.array([c.mean for c in kept.channels], np.float32),
        np.array([c.square for c in kept.channels], np.float32),
        np.array([c.windows for c in kept.channels], np.int64),
    )
    if not is_possible(state):
        raise _unlike(path, "no windows lead to its state")
    return state


def _unlike(path: Path, what: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_BAD_FORMAT",
        f"{path.name} keeps no state of a running normaliser: {what}",
        where=str(path),
        hint="`kd-edge board normaliser save --file FILE` makes one",
    )
