"""Recordings or images beside those that a bundle was built from: how they are read, and whether
they fit its models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import StreamConstants
from kd_edge.images import READERS as IMAGE_READERS
from kd_edge.images import reader_of
from kd_edge.images.near_duplicates import resembling
from kd_edge.pipeline.bundle import Manifest
from kd_edge.pipeline.dataset import check_reader, options_known
from kd_edge.recipe import Recipe
from kd_edge.signals.recording import RecordingInfo, same_rate, same_unit


def check_other(
    data: Path | None, reader: str | None, options: Mapping[str, object] | None
) -> None:
    """Refuse to be told how to read what is not there.

    Raises:
        KdEdgeError KD_USAGE.
    """
    for option, given in (("--reader", reader), ("--option", options)):
        if given and data is None:
            raise KdEdgeError(
                "KD_USAGE",
                f"{option} says how other recordings are read, and none are named",
                where=option,
                hint="name them with --data",
            )


def reading_other(
    recipe: Recipe,
    data: Path,
    reader: str | None = None,
    options: Mapping[str, object] | None = None,
) -> Recipe:
    """A bundle's recipe, reading other data.

    Args:
        data: where they lie.
        reader: of them. Where None, of images the one that their files show, else the recipe's.
        options: of that reader. The recipe's go on, as far as that reader has them.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME, KD_RECIPE_KEY: no such reader or option.
    """
    if reader is None and recipe.images is not None:
        reader = reader_of(data)
    reader, given = reader or recipe.dataset.reader, dict(options or {})
    asked = _with(recipe, reader=reader, options={})
    known = options_known(asked)
    kept = {name: value for name, value in recipe.dataset.options.items() if name in known}
    if reader in IMAGE_READERS:
        kept = IMAGE_READERS[reader].options_for(data, kept)
    asked = _with(asked, options=kept | given)
    check_reader(asked)
    return asked


def _with(recipe: Recipe, **changes: object) -> Recipe:
    return recipe.model_copy(update={"dataset": recipe.dataset.model_copy(update=changes)})


def as_built(recipe: Recipe, manifest: Manifest) -> Recipe:
    """The recipe with the channels that the models were built on, by name and in their order."""
    if manifest.front_end is None:
        return recipe
    front_end = dict(recipe.front_end)
    for stream in manifest.front_end.streams:
        settings = front_end[stream.name]
        front_end[stream.name] = replace(settings, channels=stream.channels)
    return recipe.model_copy(update={"front_end": front_end})


def check_front_end(
    found_designs: Iterable[StreamConstants], manifest: Manifest, data: Path
) -> tuple[str, ...]:
    """Other recordings must come at the rates and in the units that models were built on.

    Args:
        found_designs: the front end as these recordings would have it.
        data: where they lie.

    Returns:
        a sentence for each modality whose unit could not be compared.
    """
    if manifest.front_end is None:
        return ()
    designs = {design.name: design for design in found_designs}
    unstated = []
    for built in manifest.front_end.streams:
        found = designs[built.name]
        if not same_rate(found.source_rate_hz, built.source_rate_hz):
            raise KdEdgeError(
                "KD_RATE_MISMATCH",
                f"{built.name} comes at {found.source_rate_hz:g} Hz here, and the bundle's front "
                f"end was designed for {built.source_rate_hz:g} Hz",
                where=str(data),
                hint="build a bundle for this rate",
            )
        if not same_unit(found.unit, built.unit):
            raise KdEdgeError(
                "KD_UNIT_MISMATCH",
                f"{built.name} comes in {found.unit} here, and the bundle's models learned "
                f"{built.unit}",
                where=str(data),
                hint="convert these recordings to the bundle's unit",
            )
        if bool(found.unit) != bool(built.unit):
            unstated.append(
                f"{built.name} was taken for {found.unit or built.unit}: "
                f"{'these recordings state' if built.unit else 'the bundle states'} no unit."
            )
    return tuple(unstated)


def look_alikes(manifest: Manifest, recipe: Recipe, images: Sequence[RecordingInfo]) -> int:
    """How many of other images look like one that the models learned from; 0 where the recipe does
    not compare."""
    if recipe.dataset.near_duplicates is None:
        return 0
    return resembling(
        [image.look for image in images],
        [learned.look for learned in manifest.learned],
        recipe.dataset.near_duplicates,
    )
