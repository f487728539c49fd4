"""What a comparison of two runtimes, or of two forms of a model, found."""

from __future__ import annotations

from dataclasses import dataclass

# What answers beside the runtimes: the trained network, the generated C, and baselines.
KERAS, PLAIN_C, SCIKIT_LEARN = "keras", "plain-c", "scikit-learn"
TITLES = {KERAS: "Keras", PLAIN_C: "plain C", SCIKIT_LEARN: "scikit-learn"}


@dataclass(frozen=True)
class LayerDifference:
    """The first layer, in execution order, whose output differs.

    Attributes:
        index: operator index in the model.
        operator: e.g. 'CONV_2D'.
        tensor: name of the output tensor.
        max_steps: largest difference in quantisation steps (None for float tensors).
        max_abs: largest difference in the tensor's own unit.
        window: index of the first window that shows it.
    """

    index: int
    operator: str
    tensor: str
    max_steps: int | None
    max_abs: float
    window: int


@dataclass(frozen=True)
class Side:
    """What gave the answers of one side.

    Attributes:
        format: `KERAS`, or the file's, a key of `FORMATS`.
        runtime: a key of `RUNTIMES`, `KERAS`, or `PLAIN_C`.
    """

    format: str
    runtime: str


@dataclass(frozen=True)
class Parity:
    """Answers of two sides on the same windows.

    Attributes:
        left, right: what answered; `kd_edge.report.words.side` says it for people.
        kind: 'runtimes' (same file, two runtimes), 'forms' (float against int8) or 'engines'
            (the same file as plain C and on its interpreter).
        n_windows: compared.
        class_agreement: fraction of windows with the same class, 0 to 1.
        max_steps: largest difference in int8 steps of the output, None for float outputs.
        max_abs: largest difference of the dequantised outputs.
        first_difference: None where no layer differs or layers cannot be read (see `note`).
        note: what the reader must know.
        model: the model that both sides are; '' where only one is meant.
    """

    left: Side
    right: Side
    kind: str
    n_windows: int
    class_agreement: float
    max_steps: int | None
    max_abs: float
    first_difference: LayerDifference | None = None
    note: str = ""
    model: str = ""

    @property
    def n_differing(self) -> int:
        """Windows whose class differs."""
        return round(self.n_windows * (1 - self.class_agreement))
