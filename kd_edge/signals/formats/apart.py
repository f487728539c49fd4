"""Libraries of C and C++ that a damaged file can crash: they read in a process of their own.

The process is kept for the next file. It may take 2 GiB and four times what the file may unpack to,
where the operating system can hold it to that, and a minute and a second for each MB.
"""

from __future__ import annotations

import atexit
import json
import os
import tempfile
import threading
from pathlib import Path

from kd_edge.base.children import Child, DiedError
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.untrusted import load_arrays
from kd_edge.signals.channels import bad_format
from kd_edge.signals.formats.arrays import Arrays
from kd_edge.signals.source import must_exist, unpacked_bound

_MINUTE_S, _S_A_BYTE = 60.0, 1e-6
_ALWAYS_BYTES, _TIMES = 2 << 30, 4


class _Kept:
    """The process of this one, started with the first file; a fork starts its own."""

    def __init__(self):
        self.lock = threading.Lock()
        self._child: Child | None = None
        self._owner = 0

    def child(self) -> Child:
        if self._child is None or self._owner != os.getpid():
            self._child = Child(f"{__package__}.apart_child", name="reader", environment={})
            self._owner = os.getpid()
        return self._child

    def close(self) -> None:
        if self._child is not None and self._owner == os.getpid():
            self._child.close()
            self._child = None


_KEPT = _Kept()
atexit.register(_KEPT.close)


def load_apart(module: str, path: Path, what: str) -> Arrays:
    """What `extract(path) -> Arrays` of a module gives, run in a process of its own.

    Args:
        module: dotted. what: the file's kind, for messages.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_FORMAT (the process died or took too long), and what
            `extract` refuses.
    """
    path = must_exist(path).absolute()
    n_bytes = path.stat().st_size
    with _KEPT.lock:
        child = _KEPT.child()
        with tempfile.TemporaryDirectory(dir=child.folder) as name:
            folder = Path(name)
            job = {
                "module": module,
                "path": str(path),
                "out": str(folder),
                "most_bytes": _ALWAYS_BYTES + _TIMES * unpacked_bound(n_bytes),
            }
            try:
                child.do(folder, job, timeout_s=_MINUTE_S + _S_A_BYTE * n_bytes)
            except DiedError as died:
                raise bad_format(
                    str(path),
                    f"not a readable {what} file: its library {died.what}",
                    "export or copy the file again",
                ) from died
            try:
                arrays = load_arrays(folder / "arrays.npz", most_bytes=None)
                said = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise KdEdgeError(
                    "KD_INTERNAL", f"the reader's process left no arrays: {error}", where=str(path)
                ) from error
    return Arrays({name: arrays[str(i)] for i, name in enumerate(said["names"])}, said["facts"])
