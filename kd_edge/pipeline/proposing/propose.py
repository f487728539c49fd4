"""From recordings to the text of a recipe that loads, splits and cuts."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.examples.cutting import cut_windows
from kd_edge.pipeline.proposing.honest import Honest, choose_split
from kd_edge.pipeline.proposing.learning import augmentation, models, proving, quick
from kd_edge.pipeline.proposing.seen import Seen, look
from kd_edge.pipeline.proposing.signals import Signals, choose_signals
from kd_edge.pipeline.proposing.text import Block, Line, to_text
from kd_edge.recipe import Recipe, parse_recipe
from kd_edge.signals.checks import find_problems
from kd_edge.signals.recording import Recording

_TRIED = 12  # recordings that windows are cut from before the recipe is written
_SHORTER = 0.95
_SHORTENINGS = 12
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Proposal:
    """A recipe as text, as settings, and what it is made of."""

    text: str
    recipe: Recipe
    seen: Seen
    split: Honest


def propose(
    recordings: Sequence[Recording],
    *,
    reader: str,
    options: dict[str, object],
    data: Path,
    out: Path,
) -> Proposal:
    """A recipe for recordings, each line with why.

    Args:
        reader, options: that read them; for the recipe.
        data: where they lie. out: where the recipe shall stand: its path is relative to that.

    Raises:
        KdEdgeError: as `look`, `find_problems` (what would stop a build) and `choose_split`.
    """
    seen = look(recordings)
    taken = [kind.modality for kind in seen.kinds]
    stuck = _stop_at_problems(recordings, taken)
    split = choose_split(seen, [recording.info() for recording in recordings])
    signals = choose_signals(seen, several_wearers=split.several)
    for _ in range(_SHORTENINGS):
        blocks = [
            _top(out.stem, seen),
            _dataset(reader, options, _place(data, out), seen, stuck),
            *signals.blocks(seen),
            *split.blocks(),
            augmentation(seen),
            *models(seen, signals),
            *proving(signals),
            *quick(seen, split),
        ]
        text = to_text(_title(seen, data), blocks)
        recipe = parse_recipe(text)
        try:
            cut_windows(_to_try(recordings, seen), recipe.front_end, recipe.windows)
        except KdEdgeError as error:
            if error.code != "KD_WINDOW_TOO_LONG":
                raise
            signals = _shorter(signals)
            continue
        return Proposal(text, recipe, seen, split)
    raise KdEdgeError(
        "KD_WINDOW_TOO_LONG",
        f"the shortest recording has too few samples for a window: {seen.shortest_s:.3g} s",
        where=seen.shortest,
        hint="leave that recording out",
    )


def _stop_at_problems(recordings: Sequence[Recording], taken: list[str]) -> KdEdgeError | None:
    """Raise what would stop a build; a stuck channel is given back: a recipe may allow it."""
    for problem in find_problems(recordings, modalities=taken, allow_stuck=True):
        raise problem
    return next(iter(find_problems(recordings, modalities=taken)), None)


def _to_try(recordings: Sequence[Recording], seen: Seen) -> list[Recording]:
    """The first, which sets channels and rates, and the shortest."""
    taken = {kind.modality for kind in seen.kinds}

    def length_s(recording: Recording) -> float:
        streams = [s for s in recording.streams if s.modality in taken]
        return min(s.end_s for s in streams) - max(s.start_s for s in streams)

    return [recordings[0], *sorted(recordings, key=length_s)[:_TRIED]]


def _shorter(signals: Signals) -> Signals:
    length_s = float(f"{_SHORTER * signals.length_s:.3g}")
    hop_s = None if signals.hop_s is None else float(f"{length_s / 2:.3g}")
    return replace(signals, length_s=length_s, hop_s=hop_s)


# --- the first tables -----------------------------------------------------------------------------


def _title(seen: Seen, data: Path) -> str:
    made = " SYNTHETIC" if seen.synthetic else ""
    return (
        f"A first recipe for the {seen.n_recordings}{made} recordings in {data.name}: "
        f"{len(seen.labels)} signs, {len(seen.subjects)} people, {len(seen.sessions)} sessions. "
        "Every line says why it is so. Change what you know better; docs/recipes.md has every key."
    )


def _top(stem: str, seen: Seen) -> Block:
    name = _NOT_IN_NAMES.sub("-", stem).strip("-_")[:64] or "mine"
    channels = ", ".join(f"{len(kind.channels)} {kind.modality}" for kind in seen.kinds)
    made = "SYNTHETIC, " if seen.synthetic else ""
    summary = f"{made}{len(seen.labels)} signs, {len(seen.subjects)} people, channels: {channels}"
    return Block(
        "",
        (
            Line("name", name, "Files and figures bear it."),
            Line("summary", summary, "What the report says first."),
            Line("seed", 1, "The same seed gives the same models."),
        ),
    )


def _dataset(
    reader: str, options: dict, place: str, seen: Seen, stuck: KdEdgeError | None
) -> Block:
    lines = [
        Line("reader", reader, "It knows these files."),
        Line("path", place, "Where they lie, from this recipe's folder on."),
    ]
    if options:
        lines.append(Line("options", options, "As they were read for this proposal."))
    if stuck is not None:
        why = (
            f"{stuck.message}. Look at them (`kd-edge data inspect`), and record again if you can."
        )
        lines.append(Line("allow_stuck", True, why))
    left_out = "".join(f" Not taken: '{name}' ({why})." for name, why in seen.left_out.items())
    return Block("[dataset]", tuple(lines), f"The recordings.{left_out}")


def _place(data: Path, out: Path) -> str:
    """With '/', so that the recipe is the same on every system; absolute on another drive."""
    try:
        return Path(os.path.relpath(data.resolve(), out.resolve().parent)).as_posix()
    except ValueError:
        return data.resolve().as_posix()
