"""Waits that end: for a process, a thread or a condition, each saying what it waited for.

The bound tells a hang from a slow machine, and nothing else: it is far longer than anything takes.
No speed is tested by it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence

BOUND_S = 600.0


@contextlib.contextmanager
def program(
    command: Sequence[object], what: str, *, bound_s: float = BOUND_S, **options
) -> Iterator[subprocess.Popen]:
    """A process that lives no longer than the block, nor longer than the bound.

    After the bound it is killed with all that it started, so that whoever reads from it or waits
    for it goes on; the test then fails and says what it waited for.

    Args:
        command: program and arguments.
        what: what the test waits for, as "the board's answers".
        bound_s: seconds.
        options: of subprocess.Popen.

    Raises:
        AssertionError: the bound has passed.
    """
    # A session of its own: its descendants can be ended together, and it has no terminal.
    process = subprocess.Popen([str(part) for part in command], start_new_session=True, **options)
    overdue = threading.Event()

    def end() -> None:
        overdue.set()
        _kill(process)

    watchdog = threading.Timer(bound_s, end)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield process
    except BaseException as error:
        if overdue.is_set():
            raise _never(what, bound_s, process) from error
        raise
    finally:
        watchdog.cancel()
        _kill(process)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
    if overdue.is_set():
        raise _never(what, bound_s, process)


def ended(process: subprocess.Popen, what: str, *, bound_s: float = BOUND_S) -> int:
    """The exit status of a process that ends by itself.

    Raises:
        AssertionError: it has not ended within the bound; it is killed.
    """
    try:
        return process.wait(bound_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise _never(what, bound_s, process) from None


def joined(thread: threading.Thread, what: str, *, bound_s: float = BOUND_S) -> None:
    """Wait for a thread's end.

    Raises:
        AssertionError: it has not ended within the bound.
    """
    thread.join(bound_s)
    assert not thread.is_alive(), f"waited {bound_s:g} s in vain for {what}"


def wait_until(condition: Callable[[], object], what: str, *, bound_s: float = BOUND_S):
    """What the condition gives as soon as that is true.

    Raises:
        AssertionError: it never was within the bound.
    """
    deadline = time.monotonic() + bound_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {bound_s:g} s in vain for {what}"
        time.sleep(0.005)
    return value


def _kill(process: subprocess.Popen) -> None:
    """End a process of `program` and its descendants; a finished one has left none that we know."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _never(what: str, bound_s: float, process: subprocess.Popen) -> AssertionError:
    command = " ".join(map(str, process.args))
    return AssertionError(f"waited {bound_s:g} s in vain for {what}; killed: {command}")
