"""From a recipe's dataset to windows: read, check, filter, cut, and remember on disk."""

from __future__ import annotations

import hashlib
import inspect
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import platformdirs

from kd_edge.errors import KdEdgeError, nearest
from kd_edge.files import atomic_path, sha256_file
from kd_edge.frontend import StreamConstants
from kd_edge.pipeline.stages import key_of
from kd_edge.recipe import Recipe
from kd_edge.signals import READERS, Reader, checks
from kd_edge.signals.recording import Recording, RecordingInfo
from kd_edge.windows import WindowSet, cut_windows


@dataclass(frozen=True, eq=False)
class Dataset:
    """All windows of a dataset, before any split or normaliser.

    Attributes:
        windows: not normalised.
        designs: the front end of each modality.
        recordings: `windows.recordings` indexes them.
        key: digest of everything that the windows depend on.
    """

    windows: WindowSet
    designs: tuple[StreamConstants, ...]
    recordings: tuple[RecordingInfo, ...]
    key: str


def cache_folder() -> Path:
    """Where windows are kept between runs."""
    return Path(platformdirs.user_cache_dir("kd-edge")) / "windows"


def load_dataset(
    recipe: Recipe,
    data: Path | None,
    *,
    class_names: tuple[str, ...] | None = None,
    progress: Callable[[str, int | None, int | None], None] | None = None,
) -> Dataset:
    """Windows of the recipe's dataset, from the cache where nothing that they depend on changed.

    Args:
        data: folder or file; None for readers that need none.
        class_names: the model's classes, where they are already fixed (a bench on other data).
        progress: called with (what, done, total).

    Raises:
        KdEdgeError: whatever reading, checking or cutting finds.
    """
    tell = progress or (lambda what, done, total: None)
    key = key_of(
        _source_digest(recipe, data, tell),
        recipe.dataset.model_dump(mode="json", exclude={"path"}),
        {name: settings.model_dump(mode="json") for name, settings in recipe.front_end.items()},
        recipe.windows.model_dump(mode="json"),
        class_names,
    )
    kept = cache_folder() / f"{key}.npz"
    cached = _load(kept, key)
    if cached is not None:
        tell("windows from the cache", len(cached.windows), len(cached.windows))
        return cached
    recordings = read_recordings(recipe, data, tell)
    recordings, names = _of_classes(recordings, recipe.dataset.classes, class_names)
    windows, designs = cut_windows(
        recordings,
        recipe.front_end,
        recipe.windows,
        names,
        progress=lambda done: tell("front end and windows", done, len(recordings)),
    )
    dataset = Dataset(windows, designs, tuple(r.info() for r in recordings), key)
    try:
        _save(kept, dataset)
    except KdEdgeError as error:
        # The cache only saves time: a folder that cannot be written costs nothing else.
        tell(f"windows are not kept: {error.message}", None, None)
    return dataset


def read_recordings(
    recipe: Recipe, data: Path | None, tell: Callable[[str, int | None, int | None], None]
) -> list[Recording]:
    """The recipe's recordings, checked for samples that no model should see."""
    options = recipe.dataset.options
    if recipe.dataset.reader == "synthetic":
        from kd_edge.signals.simulate import SignSettings, simulate

        settings = _call("dataset.options", SignSettings, options)
        recordings = simulate(settings, progress=lambda d, n: tell("simulating signs", d, n))
    else:
        reader = _reader(recipe.dataset.reader)
        tell("reading recordings", None, None)
        recordings = _call("dataset.options", reader.read, options, data)
    checks.check(
        recordings,
        allow_duplicates=recipe.dataset.allow_duplicates,
        allow_stuck=recipe.dataset.allow_stuck,
        modalities=recipe.front_end,
    )
    return recordings


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


def _call(where: str, function, options: dict, *arguments):
    """Call with options from a recipe; one that the function lacks is the user's mistake."""
    known = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ][len(arguments) :]
    for option in options:
        if option not in known:
            raise KdEdgeError(
                "KD_RECIPE_KEY",
                f"unknown option '{option}'{nearest(option, known)}",
                where=f"{where}.{option}",
                hint=f"options: {', '.join(known) or 'none'}",
            )
    return function(*arguments, **options)


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
    return [[str(p.relative_to(data)), sha256_file(p)] for p in files]


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

    `wanted` are the recipe's: others are left out. `fixed` are a bundle's: others are an error.
    """
    unlabelled = [r for r in recordings if r.label is None]
    if unlabelled:
        raise KdEdgeError(
            "KD_LABELS",
            f"{len(unlabelled)} recordings have no label",
            where=unlabelled[0].source,
            hint="put a labels.csv beside the files: file,label,subject,session,trial",
        )
    known = sorted({r.label for r in recordings})
    if fixed is not None:
        _check_labels(known, fixed, "the bundle's classes are")
        return list(recordings), fixed
    if wanted is not None:
        _check_labels(wanted, known, "labels:")
        return [r for r in recordings if r.label in wanted], wanted
    return list(recordings), tuple(known)


def _check_labels(names: Sequence[str], known: Sequence[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise KdEdgeError(
                "KD_LABELS",
                f"label '{name}' is unknown{nearest(name, known)}",
                where="dataset.classes and the recordings' labels",
                hint=f"{what} {', '.join(known[:20])}",
            )


def _save(path: Path, dataset: Dataset) -> None:
    windows = dataset.windows
    meta = {
        "key": dataset.key,
        "class_names": windows.class_names,
        "designs": [asdict(design) for design in dataset.designs],
        "recordings": [asdict(recording) for recording in dataset.recordings],
        "inputs": list(windows.inputs),
    }
    arrays = {f"input{i}": array for i, array in enumerate(windows.inputs.values())}
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            meta=np.array(json.dumps(meta)),
            labels=windows.labels,
            owners=windows.recordings,
            **arrays,
        )


def _load(path: Path, key: str) -> Dataset | None:
    """The cached dataset, or None where there is none that can be read."""
    from pydantic import TypeAdapter

    try:
        with np.load(path) as kept:
            meta = json.loads(str(kept["meta"]))
            arrays = {name: kept[f"input{i}"] for i, name in enumerate(meta["inputs"])}
            labels, owners = kept["labels"], kept["owners"]
        recordings = TypeAdapter(tuple[RecordingInfo, ...]).validate_python(meta["recordings"])
        designs = TypeAdapter(tuple[StreamConstants, ...]).validate_python(meta["designs"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        # Cut short or foreign: made again.
        return None
    windows = WindowSet(
        inputs=arrays,
        labels=labels,
        recordings=owners,
        subjects=np.array([recordings[i].subject for i in owners]),
        class_names=tuple(meta["class_names"]),
        recording_names=tuple(r.name for r in recordings),
        synthetic=any(r.synthetic for r in recordings),
    )
    return Dataset(windows, designs, recordings, key)


def source_sha256(indices: np.ndarray) -> str:
    """Digest of an index array, for stage keys."""
    return hashlib.sha256(np.ascontiguousarray(indices, dtype="<i8").tobytes()).hexdigest()
