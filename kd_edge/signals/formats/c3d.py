"""C3D, of motion capture: its analog channels, read by ezc3d in a process of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kd_edge.base.errors import require
from kd_edge.signals.channels import Channel, bad_format, damaged, recording_of
from kd_edge.signals.formats.apart import load_apart
from kd_edge.signals.formats.arrays import Arrays
from kd_edge.signals.recording import Recording
from kd_edge.signals.source import peek

_PARAMETERS = b"\x50"  # the second byte of every C3D file


def sniff(path: Path) -> bool:
    """Whether the name ends in .c3d and the second byte is C3D's."""
    return path.is_file() and path.suffix.lower() == ".c3d" and peek(path, 2)[1:] == _PARAMETERS


def read(path: Path) -> list[Recording]:
    """One recording of the analog channels of a C3D file; markers are left out.

    Raises:
        KdEdgeError KD_NO_FILE, KD_MISSING_PACKAGE (ezc3d), KD_BAD_FORMAT, KD_BAD_SAMPLES.
    """
    where, held = str(path), load_apart(__name__, path, "C3D")
    with damaged(where, "C3D"):
        samples, names, units = (held.arrays[key] for key in ("analog", "names", "units"))
        rate_hz = float(held.facts[""]["rate_hz"])
        n_points = int(held.facts[""]["points"])
        if not samples.size or len(names) != len(samples) or len(units) != len(samples):
            raise bad_format(where, "it has no analog channels", "export them, too")
        channels = [
            Channel(str(name).strip(), channel, rate_hz, str(unit).strip())
            for name, unit, channel in zip(names, units, samples, strict=True)
        ]
    notes = [f"{n_points} markers, not read"] if n_points else []
    return [recording_of(channels, where, notes=notes)]


def extract(path: Path) -> Arrays:
    """What `read` needs, by a library that a damaged file may crash."""
    ezc3d = require("ezc3d", extra="formats", purpose="reading C3D files")
    with damaged(str(path), "C3D"):
        opened = ezc3d.c3d(str(path))
        said = opened["parameters"]["ANALOG"]
        samples = np.asarray(opened["data"]["analogs"])[0]
        labels, units = (list(said[key]["value"]) for key in ("LABELS", "UNITS"))
        units += [""] * (len(labels) - len(units))
        n_points = opened["data"]["points"].shape[1]
        facts = {"rate_hz": float(said["RATE"]["value"][0]), "points": n_points}
        arrays = {"analog": samples, "names": np.array(labels), "units": np.array(units)}
        return Arrays(arrays, {"": facts})
