"""Opening a teacher's file: one table from the suffix of its name to what reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import sha256_file
from kd_edge.base.registry import Registry
from kd_edge.base.untrusted import open_regular
from kd_edge.distill.foreign.keras_file import open_keras
from kd_edge.distill.foreign.logits_file import open_logits
from kd_edge.distill.foreign.onnx_file import open_onnx
from kd_edge.distill.foreign.record import FileTeacher
from kd_edge.distill.foreign.settings import LOGITS_SUFFIX, TeacherFile
from kd_edge.distill.foreign.wiring import GivenFile


@dataclass(frozen=True)
class TeacherFileKind:
    """A kind of file that a teacher may come as.

    Attributes:
        name: the suffix of such files.
        title: what people call it.
        runtime: what answers, as the report's table names it.
        open: the file as a teacher.
    """

    name: str
    title: str
    runtime: str
    open: Callable[[GivenFile], FileTeacher]


TEACHER_FILES: Registry[TeacherFileKind] = Registry(
    "teacher file",
    (
        TeacherFileKind(".onnx", "ONNX file", "onnxruntime", open_onnx),
        TeacherFileKind(".keras", "Keras file", "keras", open_keras),
        TeacherFileKind(LOGITS_SUFFIX, "file of logits", "another program", open_logits),
    ),
    home=__name__,
)


def file_kind(settings: TeacherFile) -> TeacherFileKind:
    """What kind of file it is, by its suffix. Raises KD_UNKNOWN_NAME: of no known kind."""
    return TEACHER_FILES.find(settings.suffix, where=f"teacher '{settings.name}', file")


def digest_of_file(path: Path, name: str) -> str:
    """SHA-256 of a teacher's file.

    Raises:
        KdEdgeError KD_NO_FILE: it cannot be read, or is no regular file.
    """
    try:
        open_regular(path).close()
        return sha256_file(path)
    except OSError as error:
        raise KdEdgeError(
            "KD_NO_FILE",
            f"cannot read the file of the teacher '{name}': {error.strerror or error}",
            where=str(path),
            hint="`file` of the teacher is relative to the recipe's folder",
        ) from error


def open_teacher(
    settings: TeacherFile,
    *,
    shapes: Mapping[str, tuple[int, ...]],
    class_names: Sequence[str],
    truth_shape: tuple[int, ...] = (),
) -> FileTeacher:
    """A teacher from a file, for `teach`.

    Args:
        shapes: of one example of each input of the windows, in their order.
        class_names: of the data, in the model's output order.
        truth_shape: of the truth about one example; () where it has one class.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: a file of no known kind, or no such input. KD_NO_FILE: it
            cannot be read. KD_BAD_FORMAT: it is damaged, holds code, or is too large. KD_LABELS: it
            lacks classes. KD_SHAPE, KD_RECIPE_VALUE: its inputs are not the windows'.
            KD_NOT_LOGITS: its scores are not what they are said to be (`FileTeacher.check` looks at
            a network's). KD_MISSING_PACKAGE: onnxruntime is not installed.
    """
    path = Path(settings.file)
    taken = settings.inputs or tuple(shapes)
    for name in taken:
        if name not in shapes:
            raise KdEdgeError(
                "KD_UNKNOWN_NAME",
                f"the teacher '{settings.name}' takes '{name}', and the windows have no such input",
                where=settings.file,
                hint=f"inputs: {', '.join(shapes)}",
            )
    given = GivenFile(
        path,
        settings,
        digest_of_file(path, settings.name),
        {name: shapes[name] for name in taken},
        class_names,
        truth_shape,
    )
    return file_kind(settings).open(given)
