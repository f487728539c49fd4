"""The tables of a recipe: every key with its type, range and default.

Choices that change a result (split, temperature, alpha, epochs) have no default.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_serializer,
    model_validator,
)

from kd_edge.base.files import sha256_text
from kd_edge.base.formats import FORMATS, default_formats
from kd_edge.base.pixels import PixelInput
from kd_edge.base.settings import Name
from kd_edge.distill.foreign.settings import TeacherFile
from kd_edge.examples import Windowing
from kd_edge.frontend import StreamFrontEnd
from kd_edge.models.fitted import FITTED
from kd_edge.recipe.aware import SHARED, check_aware, take_from_students
from kd_edge.recipe.checks import (
    check_files,
    check_inputs,
    check_learning,
    check_models,
    check_product,
    check_source,
    check_validation,
)
from kd_edge.recipe.dataset import Dataset
from kd_edge.recipe.decision import Decision, check_decision
from kd_edge.recipe.expanding import MOST, expanded
from kd_edge.recipe.product import Product
from kd_edge.recipe.table import OpenTable, Options, Table
from kd_edge.splits import Split

FormatName = Annotated[str, AfterValidator(FORMATS.known)]


class Augmentation(OpenTable):
    """Plausible changes of training windows, made anew in each step; never of held-out windows.

    copies: how often an epoch shows each window changed, beside once as it is.
    Every other key is an augmentation of `kd_edge.distill.augmentations` with its options.
    """

    copies: PositiveInt


class Model(Table):
    """A model to train or to fit: a name in the model registry with its inputs and options.

    body: of a model that is fitted: a trained one above it, whose embedding it classifies.
    epochs: how often training sees each window; a model that is fitted has none.
    learning_rate: of Adam, at the start. learning_rate_decay: 'cosine' lets it fall to 0 over
        `epochs`, by half a cosine.
    label_smoothing: share of each label that is spread evenly over all classes.
    class_balance: how much more rare classes weigh, see `weights_of_classes`.
    class_weights: class -> what its examples or pixels weigh besides; 1 of a class left out.
    teachers: names of the models that it learns from, each of which stands above it. Without it, a
        teacher learns from the labels alone and a student from all [[teachers]] together.
    seeds: of a teacher: so many of it, each from another start. generations: so many of it, each
        taught by the one before. Both are 1 in a validated recipe: see `expanding`.
    """

    name: Name
    model: str
    inputs: tuple[str, ...] | None = None
    body: str | None = None
    options: Options = Field(default_factory=dict)
    epochs: PositiveInt | None = None
    batch_size: PositiveInt = 64
    learning_rate: PositiveFloat = 1e-3
    learning_rate_decay: Literal["none", "cosine"] = "none"
    patience: PositiveInt | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_balance: Annotated[float, Field(ge=0, le=1)] = 0.0
    # Left out of digests where it is empty, as `Recipe.selector`.
    class_weights: dict[str, PositiveFloat] = Field(
        default_factory=dict, exclude_if=lambda weights: not weights
    )
    teachers: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    seeds: Annotated[int, Field(ge=1, le=MOST, strict=True)] = 1
    generations: Annotated[int, Field(ge=1, le=MOST, strict=True)] = 1

    @property
    def is_fitted(self) -> bool:
        """Whether it is computed at once, and not trained in steps."""
        return self.model in FITTED

    @model_validator(mode="after")
    def _trained_or_fitted(self):
        check_learning(self)
        return self


class Aware(Table):
    """How a student is fine-tuned behind the rounding of its int8 form.

    of: the student above it that it starts from, and is held against. Unless `teachers` says
        otherwise it learns from that student as well.
    weight_bits: 8, or 4 for the format int8x4.
    ranges: of the values between layers and of 4-bit weights: as calibration finds them ('kept'),
        or trained with the weights ('learned').
    """

    of: Name
    weight_bits: Literal[8, 4] = 8
    ranges: Literal["kept", "learned"] = "kept"


class Student(Model):
    """A model that ships; `distill = false` trains it on labels alone, for comparison.

    layers_from: one of its teachers: layers that have the name and the sizes of one of that
        teacher's begin with its weights.
    aware: it is another student, fine-tuned; model, inputs and options are that one's.
    """

    distill: bool = True
    # Left out of digests where there is none, as `Recipe.selector`.
    layers_from: Annotated[Name | None, Field(exclude_if=lambda name: name is None)] = None
    aware: Aware | None = None

    def on_labels(self, name: str) -> Student:
        """The same without its teachers, under another name."""
        alone = {"name": name, "distill": False, "teachers": None, "layers_from": None}
        return self.model_copy(update=alone)

    @model_serializer(mode="wrap")
    def _without_what_it_shares(self, fields):
        """Written once, so that a change of the other student's settings changes both."""
        written = fields(self)
        if self.aware is None:
            return written
        return {key: value for key, value in written.items() if key not in SHARED}


class Selector(Model):
    """A model that looks at an example and picks the student that answers.

    folds: shares of the training part; for each, students are trained on the rest, and say what
        they make of examples that they have not seen.
    """

    name: Name = "selector"
    folds: Annotated[int, Field(ge=2, le=10, strict=True)] = 3


# How errors name the two forms of a teacher's table: with brackets, which people never see.
TEACHER_FORMS = _TRAINED, _BROUGHT = "[trained]", "[brought]"


def _form_of_teacher(table: Any) -> str:
    has_file = "file" in table if isinstance(table, dict) else isinstance(table, TeacherFile)
    return _BROUGHT if has_file else _TRAINED


# A teacher that is trained here, or one that comes as a file.
Teacher = Annotated[
    Annotated[Model, Tag(_TRAINED)] | Annotated[TeacherFile, Tag(_BROUGHT)],
    Discriminator(_form_of_teacher),
]


class Distillation(OpenTable):
    """How students learn from teachers.

    loss: a name in the loss registry. Every other key is an option of that loss.
    alpha: weight of the labels' cross-entropy; 1 - alpha is the teachers'.
    ensemble: how several teachers become one, a name in the ensemble registry.
    drop_teachers: leave out those that make the others decide the validation part worse.
    """

    loss: str
    alpha: Annotated[float, Field(ge=0, le=1)]
    ensemble: str | None = None
    drop_teachers: bool = False


class Conversion(Table):
    """Formats to write and the limits that fail a build.

    formats: of students; float32 and int8 are always among them, since each proves the other.
    teacher_formats: of teachers.
    max_drop_points: accuracy that int8 may lose against float, in percentage points, over the
        validation and test parts together.
    max_int8_bytes: of the product's `.tflite`, of all its models together.
    """

    formats: tuple[FormatName, ...] = Field(default_factory=lambda: default_formats("student"))
    teacher_formats: tuple[FormatName, ...] = Field(
        default_factory=lambda: default_formats("teacher")
    )
    calibration_windows: Annotated[int, Field(ge=16)] = 256
    max_drop_points: Annotated[float, Field(ge=0)] = 1.0
    max_int8_bytes: PositiveInt | None = None

    @model_validator(mode="after")
    def _required_formats(self):
        required = [name for name, form in FORMATS.items() if form.required]
        missing = [name for name in required if name not in self.formats]
        if missing:
            raise ValueError(
                f"formats must hold {' and '.join(required)}; {', '.join(missing)} is missing"
            )
        return self


class Proof(Table):
    """What `bench` measures.

    parity_windows: compared between runtimes.
    min_agreement: of classes between int8 runtimes, 0 to 1.
    """

    parity_windows: PositiveInt = 256
    min_agreement: Annotated[float, Field(gt=0, le=1)] = 0.99
    latency_runs: Annotated[int, Field(ge=20)] = 200
    baselines: tuple[str, ...] = ()


class Firmware(Table):
    """What goes into the bundle's firmware/.

    golden_vectors: int8 windows with TFLite Micro's answers, for a board's self-test. Of images so
        many as take at most 1 MB, one at least.
    core: of the plain-C engine in firmware/aot/; 'host' is portable C99, which builds anywhere.
    """

    golden_vectors: PositiveInt = 16
    core: str = "host"


class Recipe(Table):
    """Everything that `kd-edge build` is asked to do.

    A recipe of recordings has `front_end` and `windows`, a recipe of images has `images`.

    form: 'quick' where the recipe's [quick] table has been laid over it; for `load_recipe` to set.
    """

    name: Name
    summary: str = ""
    form: Literal["whole", "quick"] = "whole"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    task: str = "classification"
    dataset: Dataset
    front_end: dict[str, StreamFrontEnd] = Field(default_factory=dict)
    windows: Windowing | None = None
    images: PixelInput | None = None
    split: Split
    augmentation: Augmentation | None = None
    teachers: tuple[Teacher, ...] = ()
    students: Annotated[tuple[Student, ...], Field(min_length=1)]
    product: Product | None = None
    # Recipes without one keep the digest that they had before there were any.
    selector: Annotated[Selector | None, Field(exclude_if=lambda table: table is None)] = None
    decision: Decision | None = None
    distillation: Distillation | None = None
    conversion: Conversion = Field(default_factory=Conversion)
    proof: Proof = Proof()
    firmware: Firmware = Firmware()

    @model_validator(mode="before")
    @classmethod
    def _expanded(cls, tables: Any) -> Any:
        return take_from_students(expanded(tables)) if isinstance(tables, Mapping) else tables

    @model_validator(mode="after")
    def _holds_together(self):
        check_source(self)
        check_inputs(self)
        check_aware(self)
        check_models(self)
        check_files(self)
        check_product(self)
        check_decision(self)
        check_validation(self)
        return self

    def to_json(self) -> str:
        """Canonical JSON with every default filled in."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    @property
    def sha256(self) -> str:
        """Digest of what is asked; where files lie on one machine is no part of it."""
        return sha256_text(self.reading(None).with_files(lambda file: Path(file).name).to_json())

    def reading(self, data: Path | None) -> Recipe:
        """The recipe with the absolute place of its recordings: it can be read from anywhere."""
        path = None if data is None else str(data.resolve())
        dataset = self.dataset.model_copy(update={"path": path})
        return self.model_copy(update={"dataset": dataset})

    def with_files(self, place: Callable[[str], str]) -> Recipe:
        """The recipe with the files of its teachers elsewhere: a function of what it has."""
        teachers = tuple(
            replace(teacher, file=place(teacher.file))
            if isinstance(teacher, TeacherFile)
            else teacher
            for teacher in self.teachers
        )
        return self.model_copy(update={"teachers": teachers})

    @property
    def to_train(self) -> tuple[Model, ...]:
        """Teachers and students that are trained here, in their order."""
        return tuple(m for m in (*self.teachers, *self.students) if isinstance(m, Model))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Every model input that windows or images give."""
        return tuple(self.windows.inputs) if self.images is None else (self.images.input,)

    @property
    def product_name(self) -> str:
        """What ships: the first student, or what [product] says."""
        if self.product is None:
            return self.students[0].name
        return self.product.name or self.product.models[0]

    def inputs_of(self, model: Model | TeacherFile) -> tuple[str, ...]:
        """The inputs that a model takes, in its order."""
        if isinstance(model, Model) and model.body is not None:
            return self.inputs_of(self.named(model.body))
        return model.inputs or self.inputs

    def named(self, name: str) -> Model:
        """The teacher or student of that name."""
        return next(m for m in (*self.teachers, *self.students) if m.name == name)

    def teachers_of(self, model: Model | TeacherFile) -> tuple[str, ...]:
        """Names of the models that a model learns from, () for one that has the labels alone."""
        if model.teachers is not None:
            return model.teachers
        if not isinstance(model, Student) or not model.distill or model.is_fitted:
            return ()
        if model.aware is not None:
            return (model.aware.of,)
        return tuple(teacher.name for teacher in self.teachers)
