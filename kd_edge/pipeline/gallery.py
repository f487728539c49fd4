"""Pictures for the eye: answers beside the truth, or the most confident mistakes."""

from __future__ import annotations

import base64
import importlib.util
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kd_edge.base.pixels import NO_CLASS, PixelInput
from kd_edge.examples import Examples
from kd_edge.models.keras_start import load_keras
from kd_edge.pipeline.bundle import Manifest, bundled_file
from kd_edge.pipeline.grad_cam import grad_cam, heated
from kd_edge.pipeline.shipped import shipped
from kd_edge.report.gallery import Gallery, Shown, Tile
from kd_edge.runtimes.composed import open_product
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.registry import ON_PHONES, ORACLE, RUNTIMES, available
from kd_edge.tasks import find_task

_SHOWN = 8
_MISTAKES = 20
# Of pixels without a class.
_BLANK = (0, 0, 0)
# ((n, height, width, channels) inputs, (n,) classes) -> (n, rows, columns), see `grad_cam`.
Look = Callable[[np.ndarray, np.ndarray], np.ndarray | None]


def gallery(
    folder: Path, manifest: Manifest, part: str, examples: Examples, *, built: bool = True
) -> Gallery | None:
    """Images of one part with what the int8 product answers.

    Of tasks with a class a pixel: some, evenly from the worst to the best, beside their truth,
    painted by class. Of others: the most confident mistakes, and if Keras is installed where the
    student in floating point saw what it answers.

    Args:
        part: its name. examples: its images.
        built: as of `shipped`.

    Returns:
        None where examples are no images, or no runtime is installed.
    """
    task, pixels = find_task(manifest.task), manifest.pixels
    runtime = next((name for name in (ON_PHONES, ORACLE) if available(name)), None)
    if pixels is None or runtime is None:
        return None
    interpreter = open_product(shipped(folder, manifest, built=built), runtime)
    logits = run_windows(interpreter, examples.only(manifest.product_inputs)).logits
    who = f"{manifest.product}, int8 on {RUNTIMES[runtime].title}, on the part '{part}'."
    if task.colours is None:
        return _mistakes(logits, manifest, examples, who, _look(folder, manifest, built=built))
    return _painted_answers(logits, manifest, examples, who)


def _painted_answers(
    logits: np.ndarray, manifest: Manifest, examples: Examples, who: str
) -> Gallery:
    task, pixels = find_task(manifest.task), manifest.pixels
    shares = task.shares_right(logits, examples.truth)
    ranks = np.linspace(0, len(examples) - 1, min(_SHOWN, len(examples))).round().astype(int)
    chosen = np.argsort(shares, kind="stable")[ranks]
    colours = task.colours(len(manifest.class_names))
    shown = []
    for index in map(int, chosen):
        tiles = (
            _tile("image", picture_of(examples.inputs[pixels.input][index], pixels)),
            _tile("truth", _painted(examples.truth[index], colours)),
            _tile("answer", _painted(task.decide(logits[index]), colours)),
        )
        name = examples.groups.names[examples.groups.recording[index]]
        shown.append(Shown(name, f"{100 * shares[index]:.0f} % of the pixels are right", tiles))
    legend = tuple(
        (name, "#{:02x}{:02x}{:02x}".format(*map(int, colour)))
        for name, colour in zip(manifest.class_names, colours, strict=True)
    )
    meaning = (
        f"{who} {len(shown)} of {len(examples)} images, evenly from the one with the fewest right "
        "pixels to the one with the most. Black pixels have no class and do not count."
    )
    return Gallery("Answers beside the truth", meaning, legend, tuple(shown))


def _look(folder: Path, manifest: Manifest, *, built: bool) -> Look | None:
    """Of the one student that ships; None of several, or without Keras."""
    file = None if manifest.composition else manifest.members[0].keras_file
    if file is None or importlib.util.find_spec("tensorflow") is None:
        return None
    path = bundled_file(folder, manifest, file) if built else folder / file
    return lambda pictures, decided: grad_cam(load_keras(path), pictures, decided)


def _mistakes(
    logits: np.ndarray, manifest: Manifest, examples: Examples, who: str, look: Look | None = None
) -> Gallery:
    """Args: logits: (n, classes)."""
    from scipy.special import softmax

    names, pixels = manifest.class_names, manifest.pixels
    decided = find_task(manifest.task).decide(logits)
    confidence = softmax(logits, axis=1)[np.arange(len(logits)), decided]
    wrong = np.flatnonzero(decided != examples.truth)
    chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:_MISTAKES]
    pictures = [picture_of(examples.inputs[pixels.input][index], pixels) for index in chosen]
    seen = None
    if look is not None and len(chosen):
        seen = look(examples.inputs[pixels.input][chosen], decided[chosen])
    shown = tuple(
        Shown(
            examples.groups.names[examples.groups.recording[index]],
            f"is {names[examples.truth[index]]}, taken for {names[decided[index]]} with a "
            f"confidence of {100 * confidence[index]:.0f} %",
            (
                _tile("image", pictures[at]),
                *([] if seen is None else [_tile("seen in", heated(pictures[at], seen[at]))]),
            ),
        )
        for at, index in enumerate(map(int, chosen))
    )
    meaning = (
        f"{who} {len(shown)} of {len(wrong)} mistakes among {len(examples)} images, the most "
        "confident first: the softmax of its scores. Look for wrong labels among them."
    )
    if seen is not None:
        meaning += (
            " Red places speak for the answer, by Grad-CAM of the same student in floating point."
        )
    return Gallery("The most confident mistakes", meaning, (), shown)


def picture_of(values: np.ndarray, pixels: PixelInput) -> np.ndarray:
    """A model's input as a picture again.

    Args:
        values: (height, width, channels) float32, in `pixels.range`.

    Returns:
        (height, width, 3) uint8.
    """
    low, high = pixels.range
    shares = (np.asarray(values) - low) / (high - low)
    grey = np.clip(np.rint(255 * shares), 0, 255).astype(np.uint8)
    return np.broadcast_to(grey, (*grey.shape[:2], 3))


def _painted(classes: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """(height, width) classes as (height, width, 3) uint8."""
    return np.where((classes == NO_CLASS)[..., None], np.uint8(_BLANK), colours[classes])


def _tile(title: str, picture: np.ndarray) -> Tile:
    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(picture)).save(file, "PNG", optimize=True)
    height, width = picture.shape[:2]
    return Tile(title, base64.b64encode(file.getvalue()).decode(), width, height)
