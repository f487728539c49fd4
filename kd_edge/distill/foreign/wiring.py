"""Which window input goes into which input of a file, and in which order of axes: stated, checked.

Nothing is guessed: what names and shapes leave open, the settings must say.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kd_edge.base.errors import nearest
from kd_edge.distill.foreign.layout import (
    Arrangement,
    arrange,
    as_it_is,
    fits,
    fitting,
    read_layout,
)
from kd_edge.distill.foreign.record import Asked
from kd_edge.distill.foreign.settings import SAME, TeacherFile

# A file's input behind its batch: None is any length.
Wanted = tuple[int | None, ...]


@dataclass(frozen=True)
class Wire:
    """One input of a file.

    Attributes:
        window: input of the windows. file: the file's name for it.
    """

    window: str
    file: str
    arrangement: Arrangement


@dataclass(frozen=True)
class GivenFile:
    """A teacher's file, what its settings say of it, and the windows that it is for.

    Attributes:
        shapes: of one example of each input that the file is given, in their order.
        class_names: of the data, in the model's output order.
        truth_shape: of the truth about one example; () where it has one class.
    """

    path: Path
    settings: TeacherFile
    sha256: str
    shapes: Mapping[str, tuple[int, ...]]
    class_names: Sequence[str]
    truth_shape: tuple[int, ...]


def ask(given: GivenFile, *, file_classes: Sequence[str] | None = None) -> Asked:
    """How a file is asked, as far as that depends on names alone.

    Args:
        file_classes: that the file names itself.

    Raises:
        KdEdgeError KD_LABELS: the file lacks classes of the data, or nothing names its classes.
    """
    settings, class_names = given.settings, given.class_names
    known = settings.classes if file_classes is None else file_classes
    known = class_names if known == SAME else known
    asked = Asked(
        settings.name, settings.file, given.sha256, tuple(given.shapes), (), 0,
        probabilities=settings.scores == "probabilities",
    )  # fmt: skip
    if known is None:
        raise asked.refuse("KD_LABELS", "does not say in which order its classes stand",
                           "name them in `classes` of the teacher")  # fmt: skip
    missing = [name for name in class_names if name not in known]
    if missing:
        raise asked.refuse(
            "KD_LABELS",
            f"lacks {len(missing)} of {len(class_names)} classes of the data, the first is "
            f"'{missing[0]}'{nearest(missing[0], known)}",
            f"its classes are {', '.join(itertools.islice(known, 20))}; leave the others out with "
            "dataset.classes",
        )
    columns = tuple(list(known).index(name) for name in class_names)
    return replace(asked, columns=columns, n_classes=len(known))


def wire(
    settings: TeacherFile,
    asked: Asked,
    shapes: Mapping[str, tuple[int, ...]],
    wanted: Mapping[str, Wanted],
) -> tuple[Wire, ...]:
    """The file's inputs, each with what it is given.

    Args:
        shapes: of one example of each window input that the file is given.
        wanted: of each of the file's inputs, in its order.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: it is not said which input takes what, or a layout does not fit
            the windows. KD_SHAPE: the file wants another shape.
    """
    for name in settings.layout if isinstance(settings.layout, dict) else ():
        if name not in shapes:
            raise asked.refuse(
                "KD_RECIPE_VALUE",
                f"is not given '{name}', of which `layout` speaks{nearest(name, shapes)}",
                f"it is given {', '.join(shapes)}",
            )
    names = _names(settings, asked, tuple(shapes), tuple(wanted))
    return tuple(
        Wire(window, file, _arrangement(settings, asked, window, shapes[window], wanted[file]))
        for window, file in names.items()
    )


def _names(
    settings: TeacherFile, asked: Asked, windows: Sequence[str], files: Sequence[str]
) -> dict[str, str]:
    said = settings.file_inputs
    for window, file in said.items():
        for name, known in ((window, windows), (file, files)):
            if name not in known:
                raise asked.refuse(
                    "KD_RECIPE_VALUE",
                    f"has no input '{name}'{nearest(name, known)}",
                    f"file_inputs leads from {', '.join(windows)} to {', '.join(files)}",
                )
    if len(windows) == len(files) == 1:
        return {windows[0]: files[0]}
    names = {window: said.get(window, window) for window in windows}
    if sorted(names.values()) != sorted(files):
        raise asked.refuse(
            "KD_RECIPE_VALUE",
            f"takes {', '.join(files)}, and it is not said what goes where",
            f"the windows' inputs are {', '.join(windows)}: choose among them with `inputs`, and "
            f'say file_inputs = {{ {windows[0]} = "{files[0]}" }} and so on',
        )
    return names


def _arrangement(
    settings: TeacherFile, asked: Asked, name: str, shape: tuple[int, ...], wanted: Wanted
) -> Arrangement:
    layout = settings.layout
    text = layout if isinstance(layout, str) else layout.get(name)
    try:
        found = as_it_is(shape) if text is None else arrange(read_layout(text), shape)
    except ValueError as error:
        raise asked.refuse(
            "KD_RECIPE_VALUE", f"cannot have '{name}' as '{text}': {error}", "mend its `layout`"
        ) from error
    if not fits(found.shape, wanted):
        others = list(itertools.islice(fitting(shape, wanted), 3))
        hint = " or ".join(f'layout = "{text}"' for text in others)
        raise asked.refuse(
            "KD_SHAPE",
            f"takes {_shown(wanted)} behind the batch, and '{name}' comes as {found.shape}",
            f"{hint} would fit; choose the one that it was trained with"
            if others
            else "the windows of this recipe are not those that it was trained on",
        )
    return found


def _shown(wanted: Wanted) -> str:
    return f"({', '.join('any' if n is None else str(n) for n in wanted)})"


def arranged(wires: Sequence[Wire], inputs: Mapping[str, Any], library: Any) -> dict[str, Any]:
    """(batch, ...) arrays of the file's inputs by its names, by NumPy or `keras.ops`."""
    return {w.file: w.arrangement.of(inputs[w.window], library) for w in wires}
