"""The formats of a model's file: one record each, which everything else reads."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from kd_edge.base.registry import Registry


class FileKind(enum.Enum):
    """What a file is. The value is what stands behind the format in the file's name."""

    TFLITE = ".tflite"
    ONNX = ""  # the format's own name ends it
    COREML = ".mlpackage.zip"  # a package is a folder; its zip file has one SHA-256


@dataclass(frozen=True)
class Format:
    """How a model's numbers are stored and computed.

    `kd_edge.convert.routes` has how the converter makes it. Which runtime takes it is said by the
    runtime, from these facts.

    Attributes:
        name: as in recipes, in `<model>.<name>.tflite` and in reports.
        weight_bits: of a stored weight.
        value_bits: of a value between two layers, while the model runs.
        integer: values are integers, so that training windows must calibrate their scales.
        same_as: the format whose answers it must give, if it is another form of that one: a report
            compares the two. '' if it stands for itself.
        required: every student has it. The others are for the recipe to choose.
        optional: the converter may refuse it for a model; the build goes on and says so.
        defaults: roles of the models that have it where a recipe does not say.
        marker: Matplotlib's, in the report's pictures.
        kind: of file. One that is no `.tflite` is not for boards.
        packages: that the converter needs beside its own; `extra` of pip install brings them.
    """

    name: str
    weight_bits: int
    value_bits: int
    integer: bool
    required: bool = False
    optional: bool = False
    defaults: tuple[str, ...] = ()
    marker: str = "o"
    same_as: str = ""
    kind: FileKind = FileKind.TFLITE
    packages: tuple[str, ...] = ()
    extra: str = ""

    def file(self, model: str) -> str:
        """The name of a model's file in this format."""
        return f"{model}.{self.name}{self.kind.value}"


_STUDENT, _TEACHER = ("student",), ("teacher",)

# The form that shows what a conversion costs, and the form that boards run: each proves the other.
_REFERENCE = Format(
    "float32", 32, 32, integer=False, required=True, defaults=_STUDENT + _TEACHER, marker="s"
)
_SHIPPED = Format("int8", 8, 8, integer=True, required=True, defaults=_STUDENT, marker="o")
REFERENCE, SHIPPED = _REFERENCE.name, _SHIPPED.name

FORMATS: Registry[Format] = Registry(
    "format",
    (
        _REFERENCE,
        Format("float16", 16, 32, integer=False, defaults=_STUDENT, marker="D"),
        Format("dynamic", 8, 32, integer=False, defaults=_STUDENT, marker="^"),
        _SHIPPED,
        # For apps that take no integers, such as LiteRT.js: floats in and out, the same inside.
        Format("int8-float-io", 8, 8, integer=True, marker="<", same_as=SHIPPED),
        # Without training behind its rounding it loses much: recipes have it that ask for it.
        Format("int8x4", 4, 8, integer=True, optional=True, marker="v"),
        Format("int16x8", 8, 16, integer=True, optional=True, defaults=_STUDENT, marker="P"),
        # For programs that run neither TFLite nor plain C; tf2onnx does not know every layer.
        Format(
            "onnx",
            32,
            32,
            integer=False,
            optional=True,
            marker=">",
            same_as=REFERENCE,
            kind=FileKind.ONNX,
            packages=("onnx", "onnxruntime", "tf2onnx"),
            extra="onnx",
        ),
        # For apps of Apple's systems; coremltools does not know every layer.
        Format(
            "coreml",
            32,
            32,
            integer=False,
            optional=True,
            marker="*",
            same_as=REFERENCE,
            kind=FileKind.COREML,
            packages=("coremltools",),
            extra="coreml",
        ),
    ),
    home=__name__,
)


def default_formats(role: str) -> tuple[str, ...]:
    """Formats of a 'student' or a 'teacher' where the recipe does not say."""
    return tuple(form.name for form in FORMATS.values() if role in form.defaults)


def formats_by_choice() -> tuple[str, ...]:
    """Every format: what ships first, then the smaller ones before the larger."""

    def place(name: str) -> tuple[bool, int, int]:
        return name != SHIPPED, FORMATS[name].weight_bits, FORMATS[name].value_bits

    return tuple(sorted(FORMATS, key=place))
