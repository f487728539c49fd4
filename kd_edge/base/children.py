"""A Python of our own beside this one: it does job after job, may crash, and ends with us.

A line of its standard input names a job's file. Its answer is a line of standard output, and a
file: the result, or the error as JSON. Lines before the answer tell how far it has come.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.processes import python_command, python_environment

WRITTEN, REFUSED = "written", "refused"
_ERROR = "error"
Tell = Callable[[str], None]


class DiedError(Exception):
    """A child ended in the midst of a job.

    Args:
        what: how it ended. last_words: of what it wrote beside its answers.
    """

    def __init__(self, what: str, last_words: str):
        super().__init__(what)
        self.what = what
        self.last_words = last_words


class Child:
    """A module of ours that runs `serve`. It starts with the first job, and anew after a crash.

    Args:
        module: its dotted name.
        name: of its folder, for people.
        environment: variables that it has beside ours.
    """

    def __init__(self, module: str, *, name: str, environment: Mapping[str, str]):
        self._module = module
        self._environment = dict(environment)
        self._folder = tempfile.TemporaryDirectory(prefix=f"kd-edge-{name}-")
        self._child: subprocess.Popen | None = None
        self._command: list[str] = []

    @property
    def process_id(self) -> int | None:
        """The child's; None before the first job and after a crash."""
        return self._child.pid if self._child else None

    @property
    def folder(self) -> Path:
        """Where it works; it goes with `close`."""
        return Path(self._folder.name)

    def do(
        self,
        folder: Path,
        job: Mapping[str, object],
        *,
        timeout_s: float | None = None,
        tell: Tell | None = None,
    ) -> None:
        """Have a job done. Interrupting it ends the child.

        Args:
            folder: of the job's files, a new one below the child's own.
            job: what the module reads, as JSON.
            timeout_s: after which the child is ended; None: never.
            tell: called with each line that it says before it is done.

        Raises:
            DiedError: the child died or took too long. KdEdgeError: what it refuses.
        """
        path, refusal = folder / "job.json", folder / "error.json"
        path.write_text(json.dumps({**job, _ERROR: str(refusal)}), encoding="utf-8")
        if self._answer(path, timeout_s, tell or (lambda line: None)) == REFUSED:
            fields = json.loads(refusal.read_text(encoding="utf-8"))
            raise KdEdgeError(
                fields["code"], fields["message"], where=fields["where"], hint=fields["hint"]
            )

    def close(self) -> None:
        """End the child and remove its files."""
        self._end()
        self._folder.cleanup()

    def _answer(self, job: Path, timeout_s: float | None, tell: Tell) -> str:
        overdue = threading.Event()
        child = self._started()

        def end() -> None:
            overdue.set()
            child.kill()

        watchdog = threading.Timer(timeout_s or threading.TIMEOUT_MAX, end)
        watchdog.daemon = True
        if timeout_s is not None:
            watchdog.start()
        try:
            with contextlib.suppress(OSError):  # it has died: the answer says so
                child.stdin.write(f"{job}\n".encode())
                child.stdin.flush()
            while line := child.stdout.readline().decode().rstrip("\n"):
                if line in (WRITTEN, REFUSED):
                    return line
                tell(line)
            died = child.wait()
        except BaseException:
            self._end()  # on Ctrl-C as well
            raise
        finally:
            watchdog.cancel()
        took = f"took longer than {timeout_s:g} s" if overdue.is_set() else None
        raise DiedError(took or f"died of {_cause(died)}", self._last_words())

    def _started(self) -> subprocess.Popen:
        """The child: the one that runs, if it imports from where this process does now."""
        command = python_command(self._module)
        if self._child is None or self._command != command or self._child.poll() is not None:
            self._end()
            with self._log.open("wb") as log:
                self._child = subprocess.Popen(
                    command,
                    cwd=self._folder.name,
                    env=python_environment(**self._environment),
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
        with contextlib.suppress(OSError):  # BrokenPipeError, which Windows does not always say
            child.stdin.close()
        child.stdout.close()

    @property
    def _log(self) -> Path:
        return self.folder / "stderr.txt"

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "its last words: " + (" | ".join(line for line in lines[-5:] if line) or "none")


def serve(do: Callable[[dict, Tell], None]) -> None:
    """Do the jobs as they come, in the child; ends when standard input does, in the midst of one
    as well.

    Args:
        do: (the job, a function that says a line) -> None; a `KdEdgeError` of it is the answer.
    """
    # Whatever prints, prints beside the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_take, args=(jobs,), daemon=True).start()

    def say(line: str) -> None:
        print(line, file=answers, flush=True)

    while True:
        job = json.loads(Path(jobs.get()).read_text(encoding="utf-8"))
        try:
            do(job, say)
        except KdEdgeError as error:
            Path(job[_ERROR]).write_text(json.dumps(error.to_json()), encoding="utf-8")
            say(REFUSED)
        else:
            say(WRITTEN)


def _take(jobs: queue.SimpleQueue[str]) -> None:
    # A path may have characters that sys.stdin's encoding lacks. Nor does a file without a buffer
    # hold a lock, on which an interpreter that ends in the midst of a job would abort.
    for line in io.FileIO(0, closefd=False):
        jobs.put(line.decode().rstrip("\n"))
    # The other end closes when the parent ends, however it ends.
    os._exit(1)


def _cause(status: int) -> str:
    if status >= 0:
        return f"an error (exit status {status})"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
