"""A teacher from an NPZ file of logits: what any program has said to windows, by their hashes.

    hash      (n,) text: SHA-256 of a window, 64 hexadecimal digits; see `examples.hashes`
    logits    (n, ..., classes) floating point
    classes   (classes,) text: their names, in that order; or the recipe has them

`kd-edge data windows` writes windows with their hashes. Such a teacher knows these windows as they
are and no others, so it cannot teach where windows are augmented in the step.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.untrusted import load_arrays
from kd_edge.distill.batch import Outputs, Tensor
from kd_edge.distill.foreign.record import Asked, FileTeacher, by_numpy, check_scores
from kd_edge.distill.foreign.settings import SAME
from kd_edge.distill.foreign.wiring import GivenFile, ask
from kd_edge.examples import Examples
from kd_edge.examples.hashes import HASH, hashes_of, window_hashes

_WRITE = (
    "`kd-edge data windows RECIPE --out windows.npz` writes every window with its hash; windows of "
    "another front end, split, seed or version have others"
)


class LogitsTeacher(FileTeacher):
    """Logits by the hash of their window."""

    only_kept = True

    def __init__(self, asked: Asked, hashes: np.ndarray, logits: np.ndarray):
        super().__init__(asked)
        self._rows = {bytes(one): row for row, one in enumerate(hashes)}
        self._logits = logits

    def scores(self, inputs: Mapping[str, Tensor]) -> Outputs:
        given = [inputs[name] for name in self.inputs]
        return Outputs(by_numpy(self._said, given, self._logits.shape[1:]), {})

    def _said(self, *arrays: np.ndarray) -> np.ndarray:
        rows = [self._rows.get(bytes(one)) for one in hashes_of(arrays)]
        missing = [at for at, row in enumerate(rows) if row is None]
        if missing:
            raise self._refused(f"lacks {len(missing)} of {len(rows)} windows of a batch")
        return self._logits[rows]

    def check(self, windows: Examples, part: str) -> None:
        """Make sure that it has every window.

        Raises:
            KdEdgeError KD_WINDOWS_MISSING: it lacks some.
        """
        known = [bytes(one) in self._rows for one in window_hashes(windows)]
        if not all(known):
            first = known.index(False)
            groups = windows.groups
            raise self._refused(
                f"lacks {len(known) - sum(known):,} of {len(known):,} windows of the {part}; the "
                f"first is number {first}, of {groups.names[groups.recording[first]]}"
            )

    def _refused(self, message: str) -> KdEdgeError:
        return self.asked.refuse("KD_WINDOWS_MISSING", message, _WRITE)


def open_logits(given: GivenFile) -> LogitsTeacher:
    """A teacher from an NPZ file; errors as `opening.open_teacher`."""
    settings = given.settings
    try:
        hashes, logits, classes = _read(load_arrays(given.path))
    except (OSError, ValueError) as error:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"cannot read the logits of the teacher '{settings.name}': {error}",
            where=str(given.path),
            hint="np.savez(file, hash=…, logits=…, classes=…); docs/recipes.md has the form",
        ) from error
    asked = ask(given, file_classes=classes)
    told = given.class_names if settings.classes == SAME else settings.classes
    if classes is not None and told is not None and tuple(told) != classes:
        raise asked.refuse(
            "KD_LABELS", "names other classes than the recipe does, or in another order",
            f"leave `classes` out; the file has {', '.join(classes[:20])}",
        )  # fmt: skip
    check_scores(asked, logits, (len(logits), *given.truth_shape))
    return LogitsTeacher(asked, hashes, logits)


def _read(
    arrays: Mapping[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...] | None]:
    """(n,) hashes of 32 bytes, (n, ..., classes) float32 logits, and the classes if they are there.

    Raises:
        ValueError: an array is missing, or they do not fit together.
    """
    for name in (HASH, "logits"):
        if name not in arrays:
            raise ValueError(f"it has no array '{name}', but {', '.join(arrays) or 'none at all'}")
    digits, logits = arrays[HASH], arrays["logits"]
    if digits.ndim != 1 or logits.ndim < 2 or len(digits) != len(logits):
        raise ValueError(
            f"'{HASH}' is {digits.shape} and 'logits' {logits.shape}: a row of logits belongs to "
            "each hash"
        )
    if logits.dtype.kind != "f":
        raise ValueError(f"'logits' are {logits.dtype}, and must be floating point")
    hashes = np.array([_bytes(text, row) for row, text in enumerate(digits.tolist())], dtype="V32")
    first: dict[bytes, int] = {}
    for row, one in enumerate(hashes):
        known = first.setdefault(bytes(one), row)
        if known != row and not np.array_equal(logits[known], logits[row]):
            raise ValueError(f"rows {known} and {row} are of one window and differ")
    classes = arrays.get("classes")
    if classes is not None and (classes.ndim != 1 or classes.dtype.kind != "U"):
        raise ValueError(
            f"'classes' are {classes.shape} of {classes.dtype}, and must be a text each"
        )
    return hashes, logits.astype(np.float32), None if classes is None else tuple(classes.tolist())


def _bytes(text: str | bytes, row: int) -> bytes:
    try:
        digest = bytes.fromhex(text.decode("ascii") if isinstance(text, bytes) else text)
    except (TypeError, ValueError, AttributeError):
        digest = b""
    if len(digest) != 32:
        raise ValueError(f"'{HASH}' {row} is {text!r:.80}, and no SHA-256 of 64 digits")
    return digest
