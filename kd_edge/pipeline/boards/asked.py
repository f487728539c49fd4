"""Which windows boards are asked: the bundle's own, or those of other recordings."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_export.front_end import model_front_end
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import Counts, raw_samples
from kd_edge.base.pixel_values import unscaled
from kd_edge.examples import Examples, Groups, as_worn, in_order
from kd_edge.examples.raw import Wearer, quantised_window
from kd_edge.link.messages import Hello
from kd_edge.pipeline.boards.bundle_image import BoardBundle
from kd_edge.pipeline.bundle import RECIPE_FILE, bundled_file
from kd_edge.pipeline.dataset import load_dataset, read_recordings
from kd_edge.pipeline.kept_windows import PARITY_PART, WINDOWS_FILE, load_windows
from kd_edge.pipeline.other_data import as_built, check_front_end, reading_other
from kd_edge.pipeline.raw_windows import window_counts
from kd_edge.pipeline.store import user_store
from kd_edge.recipe import load_recipe
from kd_edge.runtimes.interpreter import Interpreter, model_inputs, one_window
from kd_edge.tasks import Task

GOLDEN_PART = "golden windows"
_ALONE = (
    "A raw window is a recording of its own: its filters start from rest. In a stream they run on, "
    "as through the recordings that the model has learned from."
)
Progress = Callable[[str, int | None, int | None], None]


@dataclass(frozen=True)
class EvalSettings:
    """What is asked of the boards.

    Attributes:
        windows: 'int8', or 'raw': the board filters, decimates and quantises samples, or turns
            8-bit pixels into inputs.
        limit: windows at most, spread over all; None: all.
        repeat: how often each window is sent.
        data: other recordings; None: the bundle's test windows, as raw ones its golden windows.
        reader, options: of `data`, as of `reading_other`.
        cache: whether windows of `data` are taken from the user's cache and kept there.
    """

    windows: str = "int8"
    limit: int | None = None
    repeat: int = 1
    data: Path | None = None
    reader: str | None = None
    options: Mapping[str, object] | None = None
    cache: bool = True


@dataclass(frozen=True, eq=False)
class Asked:
    """Windows to be asked, in order.

    Attributes:
        parts: name -> the part, with its windows' positions in the order of asking.
        wire: what goes over the wire, a tuple of arrays a window: int8 of each input's shape, or
            (samples, channels) int16 counts of each stream, or uint8 pixels of each input.
        int8: the model's inputs, each of its shape, one tuple a window, as Python quantises them.
        notes: what a reader of the figures must know.
        goes_on: positions of windows that follow the one before: a running normaliser and a rule of
            decisions know what came before.
    """

    parts: dict[str, tuple[Examples, range]]
    wire: Sequence[tuple[np.ndarray, ...]]
    int8: Sequence[tuple[np.ndarray, ...]]
    notes: tuple[str, ...] = ()
    goes_on: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.wire)

    def described(self, task: Task) -> list[tuple[str, int, str, str]]:
        """Part, number in it, recording and truth of every window, in words."""
        return [
            (
                name,
                i,
                part.groups.names[part.groups.recording[i]],
                task.told(part.truth[i], part.class_names),
            )
            for name, (part, _) in self.parts.items()
            for i in range(len(part))
        ]


def check_board(bundle: BoardBundle, interpreter: Interpreter, hello: Hello, *, raw: bool) -> None:
    """Whether a board that says it runs the bundle's model takes and gives what the model does.

    Args:
        raw: its sensors are looked at too.

    Raises:
        KdEdgeError KD_BOARD_MODEL: it does not.
    """
    pairs = [
        ("inputs", [t.shape for t in hello.inputs], [tuple(s.shape) for s in interpreter.inputs]),
        (
            "outputs",
            [t.shape for t in hello.outputs],
            [tuple(s.shape) for s in interpreter.outputs],
        ),
        ("decisions", hello.decides, bundle.manifest.decision is not None),
    ]
    if raw and hello.streams:
        front_end = model_front_end(bundle.manifest.front_end, interpreter.inputs)
        samples = raw_samples(front_end)
        wanted = [(s.name, len(s.channels), samples[s.name]) for s in front_end.streams]
        given = [(s.name, s.channels, s.samples) for s in hello.streams]
        pairs.append(("sensors (name, channels, samples)", given, wanted))
    for what, given, wanted in pairs:
        if given != wanted:
            raise KdEdgeError(
                "KD_BOARD_MODEL",
                f"the {what} of {hello.board} are not the bundle's",
                where=f"on the board {given}, in the bundle {wanted}",
                hint="flash the firmware of this bundle",
            )


def asked_windows(
    bundle: BoardBundle,
    interpreter: Interpreter,
    settings: EvalSettings,
    hello: Hello,
    progress: Progress,
) -> Asked:
    """The windows of an evaluation.

    Raises:
        KdEdgeError KD_EMPTY_PART: there are none. KD_COUNTS: raw windows that the board or the
            bundle does not have.
        KdEdgeError: as `load_dataset` and `bench` for other recordings.
    """
    if settings.windows == "raw":
        _check_raw(bundle, hello, own=settings.data is None)
    if settings.data is not None:
        return _other_recordings(bundle, interpreter, settings, hello, progress)
    if settings.windows == "raw" and bundle.manifest.pixels is None:
        return _golden_windows(bundle, interpreter, settings, hello)
    return _test_windows(bundle, interpreter, settings)


def _test_windows(bundle: BoardBundle, interpreter: Interpreter, settings: EvalSettings) -> Asked:
    stored = load_windows(
        bundled_file(bundle.folder, bundle.manifest, WINDOWS_FILE), bundle.manifest
    ).parts
    parts = {
        n: w.only(bundle.manifest.product_inputs)
        for n, w in stored.items()
        if n != PARITY_PART and len(w)
    }
    if not parts:
        raise KdEdgeError("KD_EMPTY_PART", "the bundle has no test windows", where=WINDOWS_FILE)
    keep = _spread_over(sum(len(part) for part in parts.values()), settings.limit)
    chosen: dict[str, tuple[Examples, range]] = {}
    wire: list[tuple[np.ndarray, ...]] = []
    int8: list[tuple[np.ndarray, ...]] = []
    goes_on: set[int] = set()
    first = 0
    for name, part in parts.items():
        own = keep[(keep >= first) & (keep < first + len(part))] - first
        first += len(part)
        if len(own):
            taken = part.take(own)
            chosen[name] = (taken, range(len(int8), len(int8) + len(taken)))
            goes_on |= {len(int8) + i for i in _following(bundle, taken)}
            int8 += _quantised(interpreter, taken)
            wire += _pixels(bundle, interpreter, taken) if settings.windows == "raw" else []
    return Asked(chosen, wire or int8, int8, goes_on=frozenset(goes_on))


def _following(bundle: BoardBundle, windows: Examples) -> frozenset[int]:
    """Positions of windows behind one of the same recording, where a decision rule minds them."""
    if bundle.manifest.decision is None:
        return frozenset()
    owners = windows.groups.recording
    return frozenset((np.flatnonzero(owners[1:] == owners[:-1]) + 1).tolist())


def _golden_windows(
    bundle: BoardBundle, interpreter: Interpreter, settings: EvalSettings, hello: Hello
) -> Asked:
    keep = _spread_over(len(bundle.raw), settings.limit)
    part = Examples(
        inputs={},
        truth=np.array([bundle.golden.labels[i] for i in keep], dtype=np.int64),
        groups=Groups.each([f"golden window {i}" for i in keep], subject="all"),
        class_names=bundle.manifest.class_names,
        synthetic=bundle.manifest.synthetic,
    )
    wire, int8 = _raw(bundle, interpreter, hello, (bundle.raw[i] for i in keep))
    return Asked({GOLDEN_PART: (part, range(len(keep)))}, wire, int8, _notes(bundle))


def _notes(bundle: BoardBundle) -> tuple[str, ...]:
    """What raw windows of a front end whose filters run on are not."""
    return (_ALONE,) if bundle.manifest.front_end.runs_on else ()


def _other_recordings(
    bundle: BoardBundle,
    interpreter: Interpreter,
    settings: EvalSettings,
    hello: Hello,
    progress: Progress,
) -> Asked:
    manifest = bundle.manifest
    recipe = as_built(load_recipe(bundled_file(bundle.folder, manifest, RECIPE_FILE)), manifest)
    recipe = reading_other(recipe, settings.data, settings.reader, settings.options)
    dataset = load_dataset(
        recipe,
        settings.data,
        store=user_store(settings.cache),
        class_names=manifest.class_names,
        progress=progress,
    )
    notes = check_front_end(dataset.designs, manifest, settings.data)
    windows = as_worn(dataset.examples, manifest.front_end, dataset.recordings)
    windows = windows.only(manifest.product_inputs)
    keep = _spread_over(len(windows), settings.limit)
    goes_on = _following(bundle, windows.take(keep))
    if manifest.learns and settings.windows == "raw":
        orders = in_order(windows.take(keep), dataset.recordings)
        keep = keep[np.concatenate(orders)]
        begins = np.cumsum([0, *map(len, orders[:-1])])
        goes_on = frozenset(range(len(keep))).difference(begins.tolist())
    taken = windows.take(keep)
    parts = {f"other data: {settings.data.name}": (taken, range(len(taken)))}
    if settings.windows == "int8" or manifest.pixels is not None:
        int8 = _quantised(interpreter, taken)
        wire = _pixels(bundle, interpreter, taken) if settings.windows == "raw" else int8
        return Asked(parts, wire, int8, notes, goes_on)
    recordings = read_recordings(
        recipe, settings.data, class_names=manifest.class_names, progress=progress
    )
    notes = (*notes, *_notes(bundle))
    counts = window_counts(recipe, recordings, windows, keep, manifest.front_end)
    return Asked(parts, *_raw(bundle, interpreter, hello, counts, goes_on), notes, goes_on)


def _quantised(interpreter: Interpreter, windows: Examples) -> list[tuple[np.ndarray, ...]]:
    arrays = model_inputs(interpreter, windows)
    return [one_window(arrays, i) for i in range(len(windows))]


def _pixels(
    bundle: BoardBundle, interpreter: Interpreter, images: Examples
) -> list[tuple[np.ndarray, ...]]:
    """The 8-bit pixels that each of the model's inputs is made of, each of its shape."""
    wanted = bundle.manifest.pixels
    pixels = unscaled(images.inputs[wanted.input], wanted)
    return [(pixels[i : i + 1],) * len(interpreter.inputs) for i in range(len(images))]


def _raw(
    bundle: BoardBundle,
    interpreter: Interpreter,
    hello: Hello,
    counts: Iterable[Counts],
    goes_on: Container[int] = (),
) -> tuple[list[tuple[np.ndarray, ...]], list[tuple[np.ndarray, ...]]]:
    """Raw windows for the wire, and what Python makes of each."""
    front_end = model_front_end(bundle.manifest.front_end, interpreter.inputs)
    names = [stream.name for stream in hello.streams]
    wearer = Wearer(front_end)
    wire, int8 = [], []
    for position, window in enumerate(counts):
        if position not in goes_on:
            wearer.reset()
        wire.append(tuple(window[name] for name in names))
        inputs = quantised_window(window, front_end, interpreter.inputs, wearer)
        int8.append(
            tuple(a.reshape(s.shape) for a, s in zip(inputs, interpreter.inputs, strict=True))
        )
    return wire, int8


def _check_raw(bundle: BoardBundle, hello: Hello, *, own: bool) -> None:
    if hello.raw_bytes and (bundle.raw or bundle.manifest.pixels or not own):
        return
    if bundle.manifest.pixels is not None:
        raise KdEdgeError(
            "KD_COUNTS",
            "raw images cannot be sent: the board takes int8 alone",
            where="--windows raw",
            hint="flash this bundle's firmware as it is built now, or send --windows int8",
        )
    what = "the bundle has no raw windows" if hello.raw_bytes else "the board has no front end"
    raise KdEdgeError(
        "KD_COUNTS",
        f"raw windows cannot be sent: {what}",
        where="--windows raw",
        hint="set each sensor's units a count in the recipe (front_end.<modality>.lsb) and build "
        "again, or send --windows int8",
    )


def _spread_over(total: int, limit: int | None) -> np.ndarray:
    """Positions of at most `limit` windows, evenly over all."""
    if limit is None or limit >= total:
        return np.arange(total)
    return np.arange(limit) * total // limit
