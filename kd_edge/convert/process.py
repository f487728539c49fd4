"""The converter's process, kept for one conversion after the other: TensorFlow starts slowly."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.processes import python_command, python_environment

_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
_kept: ContextVar[Converter | None] = ContextVar("converter", default=None)


@contextlib.contextmanager
def one_converter() -> Iterator[Converter]:
    """One converter for all that this thread converts while the block runs.

    Inside of another such block it is that one's.
    """
    if (outer := _kept.get()) is not None:
        yield outer
        return
    with contextlib.closing(Converter()) as converter:
        token = _kept.set(converter)
        try:
            yield converter
        finally:
            _kept.reset(token)


class Converter:
    """A child process that may crash; it starts with the first job, and anew after a crash."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="kd-edge-convert-")
        self._child: subprocess.Popen | None = None
        self._command: list[str] = []

    @property
    def process_id(self) -> int | None:
        """The child's; None before the first job and after a crash."""
        return self._child.pid if self._child else None

    def convert(
        self, job: Mapping[str, object], arrays: Mapping[str, np.ndarray] | None, timeout_s: float
    ) -> bytes:
        """The model's bytes. Interrupting it ends the child.

        Args:
            job: what `child.py` reads from its file, without the places of files.
            arrays: 'input_0', … -> (n, ...) float32 calibration windows; None for none.
            timeout_s: after which the child is ended.

        Raises:
            KdEdgeError KD_CONVERTER_CRASH: the child died or took too long; and what it refuses.
        """
        with tempfile.TemporaryDirectory(dir=self._folder.name) as name:
            folder = Path(name)
            out, refusal, path = (folder / n for n in ("model.tflite", "error.json", "job.json"))
            places = {"out": str(out), "error": str(refusal), "calibration": None}
            if arrays is not None:
                places["calibration"] = str(folder / "calibration.npz")
                np.savez(places["calibration"], **arrays)
            path.write_text(json.dumps({**job, **places}), encoding="utf-8")
            self._do(path, timeout_s)
            if out.is_file():
                return out.read_bytes()
            fields = json.loads(refusal.read_text(encoding="utf-8"))
        raise KdEdgeError(
            fields["code"], fields["message"], where=fields["where"], hint=fields["hint"]
        )

    def close(self) -> None:
        """End the child and remove its files."""
        self._end()
        self._folder.cleanup()

    def _do(self, job: Path, timeout_s: float) -> None:
        overdue = threading.Event()
        child = self._started()

        def end() -> None:
            overdue.set()
            child.kill()

        watchdog = threading.Timer(timeout_s, end)
        watchdog.daemon = True
        watchdog.start()
        try:
            with contextlib.suppress(BrokenPipeError):  # it has died: the answer says so
                child.stdin.write(f"{job}\n".encode())
                child.stdin.flush()
            died = None if child.stdout.readline() else child.wait()
        except BaseException:
            self._end()  # on Ctrl-C as well
            raise
        finally:
            watchdog.cancel()
        if died is not None:
            took = f"took longer than {timeout_s:g} s"
            raise self._crash(took if overdue.is_set() else f"died of {_cause(died)}")

    def _started(self) -> subprocess.Popen:
        """The child: the one that runs, if it imports from where this process does now."""
        command = python_command("kd_edge.convert.child")
        if self._child is None or self._command != command or self._child.poll() is not None:
            self._end()
            with self._log.open("wb") as log:
                self._child = subprocess.Popen(
                    command,
                    cwd=self._folder.name,
                    env=python_environment(**_ENVIRONMENT),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                )
            self._command = command
        return self._child

    def _end(self) -> None:
        """End the child, if one runs."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        child.stdout.close()

    @property
    def _log(self) -> Path:
        return Path(self._folder.name, "stderr.txt")

    def _crash(self, what: str) -> KdEdgeError:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return KdEdgeError(
            "KD_CONVERTER_CRASH",
            f"the converter's process {what}",
            where="its last words: " + (" | ".join(line for line in lines[-5:] if line) or "none"),
            hint="convert in another format, or with fewer kinds of layers; nothing was written",
        )


def _cause(status: int) -> str:
    if status >= 0:
        return f"an error (exit status {status})"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
