"""What a project in a phone's own language is told: the same for Kotlin and for Swift."""

from __future__ import annotations

from collections.abc import Callable

from firmware_export.projects.layouts import ProjectFacts
from firmware_export.settings import FirmwareSettings, Golden
from kd_edge.base.product import Product

# Of kd_phone.h, which the classes compare.
PHONE_VERSION = 1


def app_values(
    product: Product,
    settings: FirmwareSettings,
    facts: ProjectFacts,
    *,
    hop_s: float | None,
    string: Callable[[str], str],
) -> dict[str, object]:
    """What the templates name; several values are one text with commas between them.

    Args:
        hop_s: as `phone_sources` takes it.
        string: a text as the language writes a constant of it.
    """
    streams = settings.front_end.streams if settings.front_end else ()
    output = product.outputs[0]
    return {
        "facts": facts,
        "version": PHONE_VERSION,
        "scale": repr(float(output.scale)),
        "zero_point": output.zero_point,
        "classes": ", ".join(string(name) for name in settings.labels),
        "stream_names": ", ".join(string(stream.name) for stream in streams),
        "channels": ", ".join(str(len(stream.channels)) for stream in streams),
        "rates": ", ".join(repr(float(stream.source_rate_hz)) for stream in streams),
        "lsbs": ", ".join(repr(float(stream.lsb)) for stream in streams),
        "hop_words": "nothing: it takes none" if hop_s is None else f"all but {hop_s:g} s",
    }


def golden_bytes(golden: Golden) -> bytes:
    """The number of vectors, 32 bits, big endian; then of each its inputs and its scores, int8."""
    n = len(golden.labels)
    rows = [
        b"".join(values[i].tobytes() for values in golden.inputs) + golden.outputs[i].tobytes()
        for i in range(n)
    ]
    return n.to_bytes(4, "big") + b"".join(rows)


def quoted(numbers: list[int], escape: str) -> str:
    """Characters in quotes; those that are not plain ASCII, or that a language minds, by number.

    Args:
        numbers: of the characters, or their UTF-16 units. escape: how the language writes one.
    """
    plain = (
        chr(n) if 32 <= n < 127 and chr(n) not in '"$\\' else escape.format(n) for n in numbers
    )
    return f'"{"".join(plain)}"'
