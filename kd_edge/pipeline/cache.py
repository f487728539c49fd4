"""Examples of a dataset, and how the store keeps them: recordings and images are read once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kd_edge.base.front_end import StreamConstants
from kd_edge.base.pixels import PixelInput
from kd_edge.examples import Examples, Groups
from kd_edge.pipeline.entries import Entry, entry_arrays, keep_arrays
from kd_edge.signals.recording import RecordingInfo


@dataclass(frozen=True, eq=False)
class Dataset:
    """All examples of a dataset, before any split or normaliser.

    Attributes:
        examples: not normalised.
        designs: the front end of each modality that a model input takes.
        recordings: `examples.groups.recording` indexes them.
        key: digest of everything that the examples depend on.
        pixels: how images were fitted; None for recordings.
    """

    examples: Examples
    designs: tuple[StreamConstants, ...]
    recordings: tuple[RecordingInfo, ...]
    key: str
    pixels: PixelInput | None = None


def to_entry(dataset: Dataset) -> tuple[Any, Callable[[Path], None]]:
    """What `Slot.keep` takes."""
    examples = dataset.examples
    value = {
        "key": dataset.key,
        "class_names": examples.class_names,
        "designs": [asdict(design) for design in dataset.designs],
        "recordings": [asdict(recording) for recording in dataset.recordings],
        "inputs": list(examples.inputs),
        "pixels": dataset.pixels and asdict(dataset.pixels),
    }
    arrays = {f"input{i}": array for i, array in enumerate(examples.inputs.values())}
    arrays |= {"truth": examples.truth, "owners": examples.groups.recording}
    return value, keep_arrays(arrays)


def from_entry(entry: Entry) -> Dataset:
    """The dataset of `to_entry`. Raises as `Slot.take` allows: the entry holds none."""
    from pydantic import TypeAdapter

    meta = entry.value
    kept = entry_arrays(entry)
    recordings = TypeAdapter(tuple[RecordingInfo, ...]).validate_python(meta["recordings"])
    designs = TypeAdapter(tuple[StreamConstants, ...]).validate_python(meta["designs"])
    examples = Examples(
        inputs={name: kept[f"input{i}"] for i, name in enumerate(meta["inputs"])},
        truth=kept["truth"],
        groups=Groups.of(kept["owners"], recordings),
        class_names=tuple(meta["class_names"]),
        synthetic=any(r.synthetic for r in recordings),
    )
    pixels = TypeAdapter(PixelInput | None).validate_python(meta["pixels"])
    return Dataset(examples, designs, recordings, meta["key"], pixels)
