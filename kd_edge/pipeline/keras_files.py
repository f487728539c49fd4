"""Writes `.keras` files whose bytes depend on the model alone."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

from kd_edge.base.files import atomic_path


def save_model(network, path: Path) -> None:
    """Write a `.keras` file whose bytes depend on the model alone.

    Keras puts the date into it, and memory addresses as names of shared objects.
    """
    with atomic_path(path) as temporary:
        network.save(temporary)
        with zipfile.ZipFile(temporary) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        metadata = json.loads(content["metadata.json"])
        del metadata["date_saved"]
        content["metadata.json"] = json.dumps(metadata).encode()
        content["config.json"] = _numbered(content["config.json"])
        with zipfile.ZipFile(temporary, "w") as archive:
            for name in sorted(content):
                archive.writestr(zipfile.ZipInfo(name), content[name])


def _numbered(config: bytes) -> bytes:
    """Shared objects by the order in which they first appear."""
    numbers: dict[bytes, int] = {}
    return re.sub(
        rb'("shared_object_id": )(\d+)',
        lambda m: m[1] + str(numbers.setdefault(m[2], len(numbers))).encode(),
        config,
    )
