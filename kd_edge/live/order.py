"""Whether a source's sensors are those of an earlier recording, in its order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.live import labels
from kd_edge.live.quality import Fault
from kd_edge.live.sources.source import SourceStream
from kd_edge.signals import read
from kd_edge.signals.recording import Stream, same_rate, same_unit

# Either has modality, channels, rate_hz and unit.
AnyStream = SourceStream | Stream
_ORDER = "pair or plug the sensors in the order {names}; or record into another folder"


def expected_streams(folder: Path, like: Path | None) -> tuple[Stream, ...]:
    """The streams of a reference: `like`, or the recording that was last put into a folder.

    Args:
        like: any recording that `read` takes; None: the folder's own, () if it has none.

    Raises:
        KdEdgeError: as `read` and `labels.last`.
    """
    path = like or labels.last(folder)
    return read(path)[0].streams if path is not None else ()


def order_faults(given: Sequence[AnyStream], expected: Sequence[AnyStream]) -> tuple[Fault, ...]:
    """What of a source is otherwise than in a reference: names, their order, rates, units.

    Names alone are compared. Two sensors that were swapped on the body and keep their names are
    not found.

    Args:
        expected: () if there is no reference, to which everything is equal.
    """
    if not expected:
        return ()
    found: list[Fault] = []
    for modality in dict.fromkeys(stream.modality for stream in (*expected, *given)):
        ours = [s for s in given if s.modality == modality]
        theirs = [s for s in expected if s.modality == modality]
        if not ours:
            what = f"it is not there; the reference has {', '.join(_names(theirs))}"
            found.append(
                Fault("order", modality, what, "switch that sensor on, or set its mode again")
            )
        elif not theirs:
            what = "the reference has no such sensor"
            found.append(
                Fault("order", modality, what, "switch it off, or record into another folder")
            )
        else:
            found += _of_names(_names(ours), _names(theirs)) or _of_settings(ours, theirs)
    return tuple(found)


def misplaced(given: Sequence[str], expected: Sequence[str]) -> tuple[str, str] | None:
    """(name, the name that is expected in its place) of the first that has its place elsewhere."""
    for name, other in zip(given, expected, strict=False):
        if name != other and name in expected:
            return name, other
    return None


def _of_names(given: Sequence[str], expected: Sequence[str]) -> list[Fault]:
    hint = _ORDER.format(names=", ".join(expected))
    if (moved := misplaced(given, expected)) is not None and set(given) == set(expected):
        name, other = moved
        return [Fault("order", name, f"it stands in the place of {other}", hint)]
    lacking = [name for name in expected if name not in given]
    added = [name for name in given if name not in expected]
    faults = [Fault("order", name, "it is not there, and the reference has it", hint)
              for name in lacking]  # fmt: skip
    return faults + [Fault("order", name, "the reference does not have it", hint) for name in added]


def _of_settings(given: Sequence[AnyStream], expected: Sequence[AnyStream]) -> list[Fault]:
    """Rates and units, channel by channel; the names are the same."""
    facts = {name: stream for stream in expected for name in stream.channels}
    faults = []
    for stream in given:
        name = stream.channels[0]
        other = facts[name]
        if not same_rate(stream.rate_hz, other.rate_hz):
            what = f"it has {stream.rate_hz:g} Hz, and the reference {other.rate_hz:g} Hz"
            faults.append(Fault("order", name, what, "set the sensor to that mode again"))
        elif not same_unit(stream.unit, other.unit):
            what = f"it is in {stream.unit}, and the reference in {other.unit}"
            faults.append(Fault("order", name, what, "record into another folder"))
    return faults


def _names(streams: Sequence[AnyStream]) -> list[str]:
    return [name for stream in streams for name in stream.channels]


def check_in_order(given: Sequence[str], expected: Sequence[str], *, source: str) -> None:
    """Refuse to take channels by their order if one of their names has another place.

    Raises:
        KdEdgeError KD_CHANNEL_MISSING: and which.
    """
    if (moved := misplaced(given, expected)) is not None:
        name, other = moved
        raise KdEdgeError(
            "KD_CHANNEL_MISSING",
            f"the channels of {source} stand in a wrong order: '{name}' would be taken as "
            f"'{other}', and the bundle has a '{name}' elsewhere",
            where=f"it gives {', '.join(given)}; the bundle takes {', '.join(expected)}",
            hint="pair or plug the sensors in the bundle's order, or give them its names",
        )
