"""Images in one NPZ file: `x` (n, h, w) or (n, h, w, 3) uint8, `y` a class each or a mask each.

It may hold `name`, `subject` and `session`, (n,) texts, and `class_names`, texts in the order of
the values of `y`. Sets that come in parts have `x_train`, `y_train`, `x_test` and so on: the option
`parts` names them, and the part is the session.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.untrusted import load_arrays
from kd_edge.images.decoding import sha256_bytes
from kd_edge.images.image import Image, ImageSet
from kd_edge.images.labels import SubjectPattern
from kd_edge.images.mask_folders import without_class
from kd_edge.signals.source import must_exist


def read(
    path: Path,
    *,
    parts: Sequence[str] | str = ("",),
    names: str = "name",
    ignore: int | None = None,
    subject_pattern: str | None = None,
) -> ImageSet:
    """The images of an NPZ file, in its order.

    Args:
        parts: endings behind `x_` and `y_`, or one text with commas between them; with none the
            arrays are `x` and `y`.
        names: what the array with the images' names is called.
        ignore, subject_pattern: as of `mask_folders.read`; the pattern looks at the names.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_FORMAT (no NPZ file, an array that is missing, or is no such
            array), KD_LABELS (values of `y` that are no classes).
    """
    file, pattern = must_exist(Path(path)), SubjectPattern(subject_pattern)
    try:
        arrays = load_arrays(file)
    except (OSError, ValueError) as error:
        raise _bad(file, f"it cannot be read: {error}") from error
    class_names = None
    if "class_names" in arrays:
        class_names = tuple(str(name) for name in arrays["class_names"])
    images: list[Image] = []
    for part in _named(parts):
        images += _part(arrays, file, part, names, class_names, ignore, pattern)
    if not images:
        raise _bad(file, "it holds no images")
    return ImageSet(tuple(images), class_names if images[0].mask else None)


def options_for(path: Path, options: Mapping[str, object]) -> dict[str, object]:
    """A recipe's options for another file: of its parts those that the file has.

    A file that has none of them, and `x` and `y`, is read so.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            there = {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, ValueError, zipfile.BadZipFile):
        return dict(options)  # reading it will say what it is
    parts = [part for part in _named(options.get("parts", ())) if f"x_{part}" in there]
    if not parts and {"x", "y"} <= there:
        parts = [""]
    return {**options, "parts": parts} if parts else dict(options)


def _named(parts: Sequence[str] | str) -> Sequence[str]:
    return parts.split(",") if isinstance(parts, str) else parts


def _part(arrays, file: Path, part: str, names: str, class_names, ignore, pattern) -> list[Image]:
    def array(name: str, *, needed: bool = False) -> np.ndarray | None:
        full = f"{name}_{part}" if part else name
        if needed and full not in arrays:
            raise _bad(file, f"it has no array '{full}'{nearest(full, arrays)}", _parts_of(arrays))
        return arrays.get(full)

    x, y = array("x", needed=True), array("y", needed=True)
    if x.dtype != np.uint8 or x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[3] not in (1, 3)):
        raise _bad(file, f"x is {x.dtype} {x.shape}, not uint8 (n, h, w), or (n, h, w, 3)")
    if x.ndim == 4 and x.shape[3] == 1:
        x = x[..., 0]
    if y.shape not in ((len(x),), x.shape[:3]) or y.dtype.kind not in "iuU":
        raise _bad(file, f"y is {y.dtype} {y.shape}, not a class an image, or a class a pixel")
    known = {name: array(name) for name in (names, "subject", "session")}
    for name, values in known.items():
        if values is not None and values.shape != (len(x),):
            raise _bad(file, f"'{name}' is of shape {values.shape}, not ({len(x)},)")
    images = []
    for i, pixels in enumerate(x):
        said = {n: str(a[i]) for n, a in known.items() if a is not None}
        name = said.get(names, str(i))
        images.append(
            Image(
                source=f"{file}/{f'{part}/' if part else ''}{name}",
                content_sha256=sha256_bytes(np.ascontiguousarray(pixels).tobytes()),
                pixels=lambda pixels=pixels: pixels,
                label=_label(y[i], class_names, file) if y.ndim == 1 else None,
                mask=(lambda mask=y[i]: without_class(mask, ignore)) if y.ndim == 3 else None,
                subject=said.get("subject") or pattern.find(name),
                session=said.get("session") or part,
            )
        )
    return images


def _label(value, class_names: tuple[str, ...] | None, file: Path) -> str:
    if class_names is None or isinstance(value, str):
        return str(value)
    if not 0 <= value < len(class_names):
        raise KdEdgeError(
            "KD_LABELS",
            f"y holds {value}, and class_names has {len(class_names)}",
            where=str(file),
            hint="name every class in class_names",
        )
    return class_names[value]


def _parts_of(arrays: Iterable[str]) -> str:
    """How to name the parts that a file has; '' where it has none."""
    parts = [name.removeprefix("x_") for name in arrays if name.startswith("x_")]
    if not parts:
        return ""
    listed = ", ".join(f'"{part}"' for part in parts)
    return f"its parts: --option parts={','.join(parts)}, or parts = [{listed}] in dataset.options"


def _bad(file: Path, message: str, hint: str = "") -> KdEdgeError:
    return KdEdgeError(
        "KD_BAD_FORMAT",
        message,
        where=str(file),
        hint=hint or "docs/images.md says what the file holds",
    )
