"""What a recipe says of a teacher that somebody else has trained: its file, and how to ask it."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kd_edge.base.settings import MisfitError, Name, settings
from kd_edge.distill.foreign.layout import read_layout

# In place of the classes: the file has those of the data, in their order.
SAME = "same"
# In a file's name: who the fold holds out.
HELD_OUT = "{held_out}"
LOGITS_SUFFIX = ".npz"
# What a file of logits has no use for.
_OF_NETWORKS = ("inputs", "file_inputs", "layout", "output")


@settings
class TeacherFile:
    """A teacher from a file; it is asked, and never trained.

    name: of the teacher, in tables.
    file: an ONNX file, a `.keras` file, or an NPZ file of logits. `{held_out}` in it is replaced by
        what the fold holds out.
    classes: names of the file's classes in its order, with all classes of the data among them; or
        'same': those of the data, in their order. An NPZ file may hold them itself.
    scores: what the file gives: 'logits' (log-probabilities are such) or 'probabilities'.
    inputs: window inputs that it takes; all where None.
    file_inputs: window input -> name of the file's input; not needed for names that agree, or where
        both have one input.
    layout: axes of the file's inputs behind the batch, such as 'channels samples', for all inputs
        or input by input; as the windows are where it is missing.
    output: name of the file's output, where it has several.
    """

    name: Name
    file: str
    classes: Literal["same"] | Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    scores: Literal["logits", "probabilities"] = "logits"
    inputs: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    file_inputs: dict[str, str] = Field(default_factory=dict)
    layout: str | dict[str, str] = Field(default_factory=dict)
    output: str | None = None

    @property
    def suffix(self) -> str:
        """Of the file's name, in lower case: it says what kind of file it is."""
        return PurePath(self.file).suffix.lower()

    @property
    def is_logits(self) -> bool:
        """Whether the file holds answers instead of a network that gives them."""
        return self.suffix == LOGITS_SUFFIX

    @property
    def teachers(self) -> None:
        """None has taught it here."""
        return None

    @model_validator(mode="after")
    def _holds_together(self):
        doubled = [name for name, n in Counter(self.classes or ()).items() if n > 1]
        if self.classes != SAME and doubled:
            raise MisfitError("classes", f"a class stands there twice: {', '.join(doubled)}")
        if self.is_logits:
            for key in _OF_NETWORKS:
                if getattr(self, key):
                    raise MisfitError(key, "an NPZ file holds logits, and takes no inputs")
        elif self.classes is None:
            raise MisfitError(
                "classes",
                "name the file's classes in its order, or say 'same' if they are those of the "
                "data in their order",
            )
        for text in [self.layout] if isinstance(self.layout, str) else self.layout.values():
            try:
                read_layout(text)
            except ValueError as error:
                raise MisfitError("layout", str(error)) from error
        return self
