"""The process in which a library reads a file that may crash it."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np

from kd_edge.base.children import Tell, serve
from kd_edge.signals.channels import bad_format
from kd_edge.signals.formats.arrays import Arrays


def _do(job: dict, _say: Tell) -> None:
    extract = importlib.import_module(job["module"]).extract
    _hold_to(job["most_bytes"])
    try:
        found: Arrays = extract(Path(job["path"]))
    except MemoryError as error:
        raise bad_format(
            job["path"], "reading it takes more memory than such a file may", "export it again"
        ) from error
    out = Path(job["out"])
    np.savez(out / "arrays.npz", **{str(i): array for i, array in enumerate(found.arrays.values())})
    said = {"names": list(found.arrays), "facts": _plain(found.facts)}
    (out / "facts.json").write_text(json.dumps(said), encoding="utf-8")


def _plain(facts) -> dict[str, dict[str, object]]:
    """Numbers and texts alone, as JSON has them."""
    return {
        name: {key: plain for key, value in own.items() if (plain := _one(value)) is not None}
        for name, own in facts.items()
    }


def _one(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "iufUS":
        return None
    item = array.reshape(-1)[0].item()
    text = item.decode("utf-8", "replace") if isinstance(item, bytes) else item
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else text


def _hold_to(most_bytes: int) -> None:
    """Let no more memory be taken, beside what is taken already, where the system knows how."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        taken = pages * resource.getpagesize()
    except (ImportError, OSError):  # Windows, macOS
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    asked = taken + most_bytes
    soft = asked if hard == resource.RLIM_INFINITY else min(asked, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


if __name__ == "__main__":
    serve(_do)
