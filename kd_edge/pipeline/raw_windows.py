"""The golden windows as sensors gave them: 16-bit counts, for boards that filter by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kd_edge.base.files import atomic_path
from kd_edge.base.front_end import Counts, FrontEndConstants
from kd_edge.base.untrusted import load_arrays
from kd_edge.examples import Examples, spread_evenly
from kd_edge.examples.raw import Wearer, cut_counts, window_from_counts
from kd_edge.examples.selecting import Selection
from kd_edge.examples.streaming import StreamedRecording
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.dataset import read_recordings
from kd_edge.pipeline.stages import key_of
from kd_edge.recipe import Recipe
from kd_edge.signals.recording import Recording

RAW_FILE = "raw.npz"
# Before a modality's name, which alone might be an argument of NumPy's: 'file', 'allow_pickle'.
_PREFIX = "counts/"


def keep_raw_windows(context: Context, front_end: FrontEndConstants | None) -> None:
    """Write raw.npz: stream -> (n, samples, channels) int16, in the order of the golden vectors.

    Nothing is written where a board could not use it: images, a front end that is not causal, or a
    sensor whose units a count are unknown.
    """
    if front_end is None:
        return
    if not front_end.causal or any(stream.lsb is None for stream in front_end.streams):
        return
    wanted = context.recipe.firmware.golden_vectors
    key = key_of(context.data.key, wanted, context.recipe.seed, "counts")
    context.stages.run("raw windows", key, [RAW_FILE], lambda: _write(context, front_end, wanted))


def _write(context: Context, front_end: FrontEndConstants, wanted: int) -> None:
    windows = next(iter(context.data.tests.values()))
    chosen = spread_evenly(windows.strata, windows.groups.subject, wanted, context.recipe.seed)
    recordings = read_recordings(context.recipe, context.source, progress=context.watch.step)
    cuts = list(window_counts(context.recipe, recordings, windows, chosen, front_end))
    write_counts(context.out / RAW_FILE, cuts)


def write_counts(path: Path, windows: Sequence[Counts]) -> None:
    """Keep windows' counts, each stream (samples, channels) int16, for `read_counts`.

    Raises:
        KdEdgeError KD_OUTPUT: as `atomic_path`.
    """
    arrays = {_PREFIX + n: np.stack([window[n] for window in windows]) for n in windows[0]}
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def read_counts(path: Path) -> tuple[Counts, ...]:
    """The windows that `write_counts` kept, here or in a bundle of an earlier version.

    Returns:
        each window as stream -> (samples, channels) int16.

    Raises:
        OSError, ValueError, TypeError: the file holds no such windows.
    """
    counts = {name.removeprefix(_PREFIX): array for name, array in load_arrays(path).items()}
    n_windows = min(len(values) for values in counts.values())
    return tuple({name: v[i] for name, v in counts.items()} for i in range(n_windows))


def window_counts(
    recipe: Recipe,
    recordings: Sequence[Recording],
    windows: Examples,
    indices: Sequence[int],
    front_end: FrontEndConstants,
) -> Iterator[Counts]:
    """What sensors gave for some windows: stream -> (samples, channels) int16 counts.

    Args:
        recordings: that `windows.groups.recording` indexes.
        windows: cut from these by the recipe, all of a recording that is among them.
        indices: of windows.

    Raises:
        KdEdgeError KD_COUNTS, KD_WINDOW_TOO_LONG: as `cut_counts`.
    """
    selection = _selection(recipe, recordings, front_end)
    for index in indices:
        owner, start_s = _place(recipe, windows, index)
        yield cut_counts(selection.samples(recordings[owner]), front_end, start_s)


def shown_windows(
    recipe: Recipe,
    recordings: Sequence[Recording],
    windows: Examples,
    indices: Sequence[int],
    front_end: FrontEndConstants,
    wearer: Wearer,
) -> Iterator[dict[str, np.ndarray]]:
    """The model's inputs of some windows, which teach a wearer as they would on a board.

    Args:
        recordings, windows, indices: as `window_counts` takes them.

    Returns:
        of each, input name -> (samples, channels) float32, as `worn_inputs` gives them.

    Raises:
        KdEdgeError KD_COUNTS, KD_WINDOW_TOO_LONG: as `cut_counts`.
    """
    if not front_end.runs_on:
        for counts in window_counts(recipe, recordings, windows, indices, front_end):
            yield window_from_counts(counts, front_end, wearer)
        return
    selection = _selection(recipe, recordings, front_end)
    streamed: tuple[int, StreamedRecording] | None = None
    for index in indices:
        owner, start_s = _place(recipe, windows, index)
        if streamed is None or streamed[0] != owner:
            samples = selection.samples(recordings[owner])
            streamed = (owner, StreamedRecording(samples, front_end, wearer))
        yield streamed[1].window(start_s)


def _selection(
    recipe: Recipe, recordings: Sequence[Recording], front_end: FrontEndConstants
) -> Selection:
    taken = {stream.name: recipe.front_end[stream.name] for stream in front_end.streams}
    return Selection(taken, recordings[0])


def _place(recipe: Recipe, windows: Examples, index: int) -> tuple[int, float]:
    """A window's recording, and where in it the window starts, in seconds."""
    owner = int(windows.groups.recording[index])
    # A recording's windows stand together, in the order of time.
    earlier = int(np.sum(windows.groups.recording[:index] == owner))
    return owner, recipe.windows.start_s + earlier * (recipe.windows.hop_s or 0.0)
