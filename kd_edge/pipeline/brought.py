"""Teachers that somebody else has trained, as one fold of a build asks them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.foreign.settings import HELD_OUT, TeacherFile
from kd_edge.examples import FoldExamples
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.stages import key_of
from kd_edge.recipe import Recipe
from kd_edge.splits import Fold

if TYPE_CHECKING:
    from kd_edge.distill.foreign.record import FileTeacher


@dataclass(frozen=True)
class Brought:
    """A teacher from a file, with what it is asked about.

    Attributes:
        settings: of the recipe, with the file of this fold.
        sha256: of the file.
        inputs: window inputs that it is given, in order.
        shapes: of one example of each of them. truth_shape: of the truth about it.
        class_names: of the data.
    """

    settings: TeacherFile
    sha256: str
    inputs: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    truth_shape: tuple[int, ...]
    class_names: tuple[str, ...]

    role = "teacher"
    parameters = None

    @property
    def name(self) -> str:
        """Of the teacher."""
        return self.settings.name

    @property
    def file(self) -> str:
        """Where it lies."""
        return self.settings.file

    @property
    def architecture(self) -> str:
        """What kind of file it is."""
        from kd_edge.distill.foreign.opening import file_kind

        return file_kind(self.settings).title

    @property
    def digest(self) -> str:
        """Of all that its answers depend on, beside the windows: where the file lies is not it."""
        asked = {**asdict(self.settings), "file": self.settings.suffix}
        return key_of(self.sha256, asked, self.inputs, self.shapes, self.class_names)

    @cached_property
    def opened(self) -> FileTeacher:
        """The teacher itself. Raises as `opening.open_teacher`."""
        from kd_edge.distill.foreign.opening import open_teacher

        return open_teacher(
            self.settings,
            shapes=dict(zip(self.inputs, self.shapes, strict=True)),
            class_names=self.class_names,
            truth_shape=self.truth_shape,
        )

    def check(self, data: FoldExamples) -> None:
        """Make sure that it answers the fold's examples. Raises as `FileTeacher.check`."""
        parts = {"training part": data.lessons, "validation part": data.validation}
        for name, windows in {**parts, **data.tests}.items():
            self.opened.check(windows.only(self.inputs), name)


def brought(settings: TeacherFile, recipe: Recipe, data: FoldExamples) -> Brought:
    """A teacher's file for one fold.

    Raises:
        KdEdgeError KD_NO_FILE: it cannot be read. KD_RECIPE_VALUE: as `of_fold`.
    """
    from kd_edge.distill.foreign.opening import digest_of_file

    settings = of_fold(settings, data.fold)
    # A file of logits knows windows by all their inputs.
    inputs = recipe.inputs if settings.is_logits else settings.inputs or recipe.inputs
    windows = data.validation.only(inputs)
    return Brought(
        settings=settings,
        sha256=digest_of_file(Path(settings.file), settings.name),
        inputs=inputs,
        shapes=tuple(windows.input_shapes.values()),
        truth_shape=windows.truth.shape[1:],
        class_names=windows.class_names,
    )


def checked_files(context: Context) -> tuple[Brought, ...]:
    """The files of the first fold, which answer its examples; those of other folds are there.

    Raises:
        KdEdgeError: as `opening.open_teacher` and `Brought.check`.
    """
    from kd_edge.distill.foreign.opening import digest_of_file

    found = []
    for teacher in context.recipe.teachers:
        if not isinstance(teacher, TeacherFile):
            continue
        found.append(brought(teacher, context.recipe, context.data))
        found[-1].check(context.data)
        for fold in context.folds[1:]:
            digest_of_file(Path(of_fold(teacher, fold).file), teacher.name)
    return tuple(found)


def of_fold(settings: TeacherFile, fold: Fold) -> TeacherFile:
    """The same with the file of a fold.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: the file's name asks for what the fold holds out, and the split
            has but one fold.
    """
    if HELD_OUT not in settings.file:
        return settings
    if fold.held_out is None:
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"the file of the teacher '{settings.name}' has {HELD_OUT} in its name, and the split "
            "makes one fold",
            where=settings.file,
            hint="name the file itself, or hold out 'each'",
        )
    return replace(settings, file=settings.file.replace(HELD_OUT, fold.held_out))
