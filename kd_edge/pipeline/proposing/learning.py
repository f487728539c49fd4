"""Augmentation, teacher, students and what a build proves, for the amount of data that there is."""

from __future__ import annotations

from kd_edge.pipeline.proposing.honest import Honest
from kd_edge.pipeline.proposing.seen import Seen
from kd_edge.pipeline.proposing.signals import Signals
from kd_edge.pipeline.proposing.text import Block, Line

# So many windows are shown in all: fewer recordings are shown more often.
_SHOWN_WINDOWS = 40_000
_EPOCHS = (12, 60)
_LONG_INPUT = 150  # samples, from which the first layer strides further
_QUICK_CLASSES = 3


_DISTILLATION = Block(
    "[distillation]",
    (
        Line("loss", "hinton", "Soft scores of the teacher, Hinton et al. 2015."),
        Line(
            "temperature",
            4.0,
            "Softens the scores: what the teacher takes for alike shows.",
        ),
        Line("alpha", 0.5, "Half from the labels, half from the teacher."),
    ),
)


def augmentation(seen: Seen) -> Block:
    """The table [augmentation]."""
    lines = [
        Line("copies", 1, "Each window is shown once as it is and once changed."),
        Line("gain", 0.2, "Strength of each channel: skin, sweat, electrode places."),
        Line("offset", 0.1, "Offset of each channel, in its deviations."),
        Line("shift", 0.2, "In time: a sign starts early or late in its window."),
        Line("warp", 0.15, "Speed within the window: nobody signs twice at one speed."),
    ]
    if any(kind.vectors for kind in seen.kinds):
        why = "Turns each sensor's axes, in rad: it sits a little differently each time."
        lines.append(Line("rotate-axes", 0.1, why))
    return Block("[augmentation]", tuple(lines), "Plausible changes of training windows alone.")


def models(seen: Seen, signals: Signals) -> list[Block]:
    """The tables [[teachers]], [[students]] and [distillation]."""
    windows = seen.n_recordings
    if signals.hop_s is not None:
        windows *= max(1, round((seen.median_s - signals.length_s) / signals.hop_s) + 1)
    epochs = min(max(round(_SHOWN_WINDOWS / windows), _EPOCHS[0]), _EPOCHS[1])
    stride = {"stem_stride": 4} if signals.samples > _LONG_INPUT else {}
    teacher = {"width": 48, "convolution": "plain", "kernel": 9, "pool": "means", "segments": 2}
    often = f"About {windows} windows are there; fewer need more epochs."
    rate = (
        Line("learning_rate", 0.002, "Of Adam, at the start."),
        Line(
            "learning_rate_decay",
            "cosine",
            "Falls to 0 at the end, so that the last epochs settle.",
        ),
    )

    def model(header: str, name: str, options: dict, n: int, why: str) -> Block:
        lines = (
            Line("name", name, "How figures and files call it."),
            Line("model", "tcn-residual", "Residual convolutions along time."),
            Line("options", options, "Width decides size and time; dropout is for few people."),
            Line("epochs", n, often),
        )
        return Block(header, (*lines, *rate), why)

    return [
        model(
            "[[teachers]]",
            "teacher",
            {**teacher, **stride, "dropout": 0.4},
            epochs,
            "Larger than a board could run: students learn from its scores.",
        ),
        model(
            "[[students]]",
            "student",
            {"width": 32, "kernel": 9, "segments": 2, **stride, "dropout": 0.3},
            round(1.3 * epochs),
            "The first student is the product.",
        ),
        model(
            "[[students]]",
            "small",
            {"width": 16, "kernel": 9, "segments": 2, **stride, "dropout": 0.2},
            round(1.3 * epochs),
            "A quarter of its arithmetic, to see what that costs.",
        ),
        _DISTILLATION,
    ]


def proving(signals: Signals) -> list[Block]:
    """The tables [decision] and [proof]."""
    together, why = 1, "A window holds a whole sign: each decides alone."
    if signals.hop_s is not None:
        together, why = 3, "Windows overlap: three together decide, which calms the answer."
    return [
        Block("[decision]", (Line("windows", together, why),)),
        Block(
            "[proof]", (Line("baselines", ["lda"], "What a linear model gets on plain features."),)
        ),
    ]


def quick(seen: Seen, split: Honest) -> list[Block]:
    """[quick.*]: the whole chain on a few signs, which `kd-edge build --quick` runs."""
    most = sorted(seen.labels, key=lambda label: -seen.labels[label])[:_QUICK_CLASSES]
    blocks = [
        Block(
            "[quick.dataset]",
            (Line("classes", sorted(most), "Three signs, to see the whole chain in a minute."),),
            "`kd-edge build --quick` lays what follows over what stands above.",
        )
    ]
    if split.test.get("held_out") == "each":
        first, second = list(seen.subjects)[:2]
        one = Line("held_out", [first], "One person in place of each in turn.")
        name = Line("name", split.name, "Which test part is meant.")
        blocks.append(Block("[[quick.split.test]]", (name, one)))
        if split.validation.get("held_out") == "next":
            other = Line("held_out", [second], "And the one after.")
            blocks.append(Block("[quick.split.validation]", (other,)))
    for header, name, epochs in (
        ("[[quick.teachers]]", "teacher", 3),
        ("[[quick.students]]", "student", 10),
        ("[[quick.students]]", "small", 10),
    ):
        lines = (
            Line("name", name, "Which model is meant."),
            Line("epochs", epochs, "Enough to see that it learns."),
            Line("batch_size", 16, "More steps of few windows."),
        )
        blocks.append(Block(header, lines))
    blocks.append(
        Block(
            "[quick.conversion]",
            (
                Line("formats", ["float32", "int8"], "The two that prove each other."),
                Line("teacher_formats", [], "The teacher stays here."),
                Line("calibration_windows", 32, "Ranges of int8 from fewer windows."),
            ),
        )
    )
    blocks.append(
        Block(
            "[quick.proof]",
            (
                Line("parity_windows", 96, "Compared between runtimes."),
                Line("latency_runs", 20, "Enough for a first figure."),
            ),
        )
    )
    return blocks
