"""Windows for another program: what a recipe's models see, with the hash of each window."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import atomic_path
from kd_edge.examples import Examples
from kd_edge.examples.hashes import HASH, hex_digits, window_hashes
from kd_edge.pipeline.context import Context, prepare
from kd_edge.pipeline.dataset import check_reader
from kd_edge.pipeline.parts import FoldWindows, fold_windows
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Recipe
from kd_edge.splits import SplitPart


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        file: where. windows: how many. parts: fold -> part -> windows.
    """

    file: str
    windows: int
    parts: dict[str, dict[str, int]]

    def to_json(self) -> str:
        """For `--json`."""
        return json.dumps(vars(self))


def export_windows(
    recipe: Recipe,
    *,
    data: Path | None,
    out: Path,
    fold: str | None = None,
    cache: bool = True,
    watch: Watch | None = None,
) -> Exported:
    """Write every window that a build of the recipe shows a teacher, with its hash, as NPZ.

    The arrays are `inputs/NAME` (n, ...) float32 behind the front end, `truth` (n,) or (n, ...)
    integers into `classes` (classes,), and (n,) text: `hash`, `part` ('train', 'validation' or
    'test'), `name` of the part, `fold`, `recording`, `subject`.

    Args:
        data: folder or file of recordings; None for a reader that needs none.
        out: the NPZ file; one that is there is replaced.
        fold: the subject or session that the only fold to write holds out; None writes all folds.
        cache: whether the user's cache is used.

    Raises:
        KdEdgeError: as `load_dataset` and `make_folds`. KD_USAGE: images larger than memory.
            KD_OUTPUT: the file cannot be written.
    """
    check_reader(recipe)
    with tempfile.TemporaryDirectory(prefix="kd-edge-windows-") as folder:
        context = prepare(
            recipe,
            data,
            Path(folder),
            command="",
            cache=cache,
            watch=watch or Watch(),
            same_on_any_cores=True,
            held_out=fold,
        )
        if context.dataset.examples.on_disk:
            raise KdEdgeError(
                "KD_USAGE", "the images are larger than memory, and are written together",
                where="dataset.memory_mb", hint="raise it, or bring the teacher as ONNX or .keras",
            )  # fmt: skip
        written = [*_all_parts(context)]
        _write(out, written)
    parts: dict[str, dict[str, int]] = {}
    for data_of, part, windows in written:
        parts.setdefault(data_of.fold.name, {})[part.name] = len(windows)
    return Exported(str(out), sum(len(windows) for _, _, windows in written), parts)


def _all_parts(context: Context) -> Iterator[tuple[FoldWindows, SplitPart, Examples]]:
    for fold in context.folds:
        first = fold is context.folds[0]
        data = context.data if first else fold_windows(context.dataset, fold, context.recipe)
        yield data, fold.train, data.lessons
        yield data, fold.validation, data.validation
        for part in data.fold.tests:
            yield data, part, data.tests[part.name]


def _write(out: Path, written: list[tuple[FoldWindows, SplitPart, Examples]]) -> None:
    examples = [windows for _, _, windows in written]
    first = examples[0]

    def joined(of) -> np.ndarray:
        return np.concatenate([of(*one) for one in written])

    def text(of) -> np.ndarray:
        return joined(lambda data, part, windows: np.full(len(windows), of(data, part)))

    arrays = {
        f"inputs/{name}": np.concatenate([windows.inputs[name] for windows in examples])
        for name in first.inputs
    }
    arrays |= {
        "truth": np.concatenate([windows.truth for windows in examples]),
        "classes": np.array(first.class_names),
        HASH: joined(lambda data, part, windows: hex_digits(window_hashes(windows))),
        "part": text(lambda data, part: part.role),
        "name": text(lambda data, part: part.name),
        "fold": text(lambda data, part: data.fold.name),
        "recording": joined(lambda data, part, w: np.array(w.groups.names)[w.groups.recording]),
        "subject": np.concatenate([windows.groups.subject for windows in examples]),
    }
    with atomic_path(out) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, **arrays)
