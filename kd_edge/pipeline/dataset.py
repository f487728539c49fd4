"""From a recipe's dataset to windows: read, check, filter, cut, and keep for the next time."""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.files import sha256_file
from kd_edge.base.sources import code_digest
from kd_edge.examples import cut_windows, used_modalities
from kd_edge.pipeline.cache import Dataset, from_entry, to_entry
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.store import Store
from kd_edge.recipe import Dataset as DatasetTable
from kd_edge.recipe import Recipe
from kd_edge.signals import READERS, Reader, checks
from kd_edge.signals.folder import named_files
from kd_edge.signals.recording import Recording

__all__ = [
    "Dataset",
    "check_reader",
    "indices_sha256",
    "load_dataset",
    "read_recordings",
]


def load_dataset(
    recipe: Recipe,
    data: Path | None,
    *,
    store: Store | None = None,
    class_names: tuple[str, ...] | None = None,
    progress: Callable[[str, int | None, int | None], None] | None = None,
) -> Dataset:
    """Windows of the recipe's dataset, from the store where nothing that they depend on changed.

    Args:
        data: folder or file; None for readers that need none.
        store: where windows are kept between runs; None: nowhere.
        class_names: the model's classes, where they are already fixed (a bench on other data).
        progress: called with (what, done, total).

    Raises:
        KdEdgeError: whatever reading, checking or cutting finds.
    """
    tell = progress or (lambda what, done, total: None)
    key = key_of(
        code_digest(__name__),
        _source_digest(recipe, data, tell),
        recipe.dataset.model_dump(mode="json", exclude={"path"}),
        recipe.model_dump(mode="json", include={"front_end", "windows"}),
        class_names,
    )
    # Recordings are named by where they lie, which is no part of what they are.
    place = key_of("windows", key, data and str(data.resolve()))
    with (store or Store(None)).at(place, "windows") as slot:
        found = slot.take(from_entry)
        if found is not None:
            tell("windows from the cache", len(found.examples), len(found.examples))
            return found
        dataset = _make(recipe, data, key, class_names, tell)
        slot.keep(*to_entry(dataset))
        return dataset


def _make(
    recipe: Recipe,
    data: Path | None,
    key: str,
    class_names: tuple[str, ...] | None,
    tell: Callable[[str, int | None, int | None], None],
) -> Dataset:
    recordings, names = _of_classes(
        _read(recipe.dataset, data, tell), recipe.dataset.classes, class_names
    )
    checks.check(
        recordings,
        allow_duplicates=recipe.dataset.allow_duplicates,
        allow_stuck=recipe.dataset.allow_stuck,
        modalities=used_modalities(recipe.windows),
    )
    windows, designs = cut_windows(
        recordings,
        recipe.front_end,
        recipe.windows,
        names,
        progress=lambda done: tell("front end and windows", done, len(recordings)),
    )
    return Dataset(windows, designs, tuple(r.info() for r in recordings), key)


def read_recordings(
    recipe: Recipe,
    data: Path | None,
    *,
    progress: Callable[[str, int | None, int | None], None],
    class_names: tuple[str, ...] | None = None,
) -> list[Recording]:
    """The recordings behind a recipe's windows, in the order of `Groups.recording`.

    Raises:
        KdEdgeError: whatever reading finds.
    """
    recordings = _read(recipe.dataset, data, progress)
    return _of_classes(recordings, recipe.dataset.classes, class_names)[0]


def check_reader(dataset: DatasetTable) -> None:
    """Look up the reader and its options without reading anything.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME, KD_RECIPE_KEY: with the nearest names.
    """
    read, n_given = _read_function(dataset.reader)
    known = [
        name
        for name, parameter in inspect.signature(read).parameters.items()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ][n_given:]
    for option in dataset.options:
        if option not in known:
            raise KdEdgeError(
                "KD_RECIPE_KEY",
                f"unknown option '{option}'{nearest(option, known)}",
                where=f"dataset.options.{option}",
                hint=f"options: {', '.join(known) or 'none'}",
            )


def _read_function(name: str) -> tuple[Callable, int]:
    """What takes the options of a reader, and how many arguments stand before them."""
    if name == "synthetic":
        from kd_edge.signals.simulate import SignSettings

        return SignSettings, 0
    return _reader(name).read, 1


def _read(
    dataset: DatasetTable,
    data: Path | None,
    tell: Callable[[str, int | None, int | None], None],
) -> list[Recording]:
    check_reader(dataset)
    if dataset.reader == "synthetic":
        from kd_edge.signals.simulate import SignSettings, simulate

        settings = SignSettings(**dataset.options)
        return simulate(settings, progress=lambda d, n: tell("simulating signs", d, n))
    tell("reading recordings", None, None)
    return _reader(dataset.reader).read(data, **dataset.options)


def _reader(name: str) -> Reader:
    if name in READERS:
        return READERS[name]
    known = [*READERS, "synthetic"]
    raise KdEdgeError(
        "KD_UNKNOWN_NAME",
        f"no reader is called '{name}'{nearest(name, known)}",
        where="dataset.reader",
        hint=f"readers: {', '.join(known)}",
    )


def _source_digest(recipe: Recipe, data: Path | None, tell) -> object:
    """What the recordings depend on: every file's bytes, or the settings of a generator."""
    if recipe.dataset.reader == "synthetic":
        if data is not None:
            raise KdEdgeError(
                "KD_USAGE",
                "the recipe simulates its recordings, and --data names others",
                where=str(data),
                hint="leave --data out, or say what reads it: dataset.reader, or bench --reader",
            )
        return "synthetic"
    if data is None:
        data = _installed_data(_reader(recipe.dataset.reader))
    if not data.exists():
        raise KdEdgeError(
            "KD_NO_FILE",
            f"no such file or folder: {data}",
            where="dataset.path or --data",
            hint="name the folder of recordings with --data",
        )
    tell("reading files", None, None)
    files = [data] if data.is_file() else sorted(p for p in data.rglob("*") if p.is_file())
    if recipe.dataset.reader == "folder":
        files += [p for p in named_files(data) if p not in files]
    return [[os.path.relpath(p, data), sha256_file(p)] for p in files]


def _installed_data(reader: Reader) -> Path:
    """The file that an installed package brings, for readers that need no path."""
    if reader.needs_path:
        raise KdEdgeError(
            "KD_NO_FILE",
            f"reader '{reader.name}' reads a folder or file, and none is named",
            where="dataset.path",
            hint="name it with --data",
        )
    return reader.data_file()


def _of_classes(
    recordings: Sequence[Recording],
    wanted: tuple[str, ...] | None,
    fixed: tuple[str, ...] | None,
) -> tuple[list[Recording], tuple[str, ...]]:
    """The recordings to use and the classes in the model's output order.

    `wanted` are the recipe's: others are left out. `fixed` are a bundle's: of what is left,
    others are an error.
    """
    unlabelled = [r for r in recordings if r.label is None]
    if unlabelled:
        raise KdEdgeError(
            "KD_LABELS",
            f"{len(unlabelled)} recordings have no label",
            where=unlabelled[0].source,
            hint="put a labels.csv beside the files: file,label,subject,session,trial",
        )
    kept = [r for r in recordings if wanted is None or r.label in wanted]
    known = sorted({r.label for r in recordings})
    if fixed is not None:
        _check_labels(sorted({r.label for r in kept}), fixed, "the bundle's classes are")
        if recordings and not kept:
            _check_labels(known, wanted, "the recipe's classes are")
        return kept, fixed
    if wanted is not None and recordings:
        _check_labels(wanted, known, "labels:")
    return kept, wanted or tuple(known)


def _check_labels(names: Sequence[str], known: Sequence[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise KdEdgeError(
                "KD_LABELS",
                f"label '{name}' is unknown{nearest(name, known)}",
                where="dataset.classes and the recordings' labels",
                hint=f"{what} {', '.join(known[:20])}",
            )


def indices_sha256(indices: np.ndarray) -> str:
    """Digest of an index array, for stage keys."""
    return hashlib.sha256(np.ascontiguousarray(indices, dtype="<i8").tobytes()).hexdigest()
