"""Windows shared out among boards; what a board leaves unanswered, another one takes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from kd_edge.base.errors import KdEdgeError
from kd_edge.link.device import Device
from kd_edge.link.messages import Answer

# How long the main thread sleeps between looks for Ctrl-C.
_TICK_S = 0.1


@dataclass(frozen=True)
class Job:
    """One window to be answered.

    Attributes:
        window, repeat: its number and repetition.
        arrays: what goes over the wire.
        begins: somebody has just put the sensors on; a running normaliser begins anew.
    """

    window: int
    repeat: int
    arrays: tuple
    begins: bool = True


@dataclass
class Done:
    """What boards have answered.

    Attributes:
        answers: job -> answer, as (window, repeat).
        answerers: job -> the board that answered it.
        answered: board -> how many.
        faults: board -> the error that ended its work.
        interrupted: Ctrl-C came; boards finished what was under way.
        abandoned: it came twice; boards may still be busy with what was under way.
    """

    answers: dict[tuple[int, int], Answer] = field(default_factory=dict)
    answerers: dict[tuple[int, int], int] = field(default_factory=dict)
    answered: list[int] = field(default_factory=list)
    faults: dict[int, KdEdgeError] = field(default_factory=dict)
    interrupted: bool = False
    abandoned: bool = False

    def snapshot(self) -> Done:
        """A copy that threads which are still busy do not change."""
        return replace(
            self,
            answers=dict(self.answers),
            answerers=dict(self.answerers),
            answered=list(self.answered),
            faults=dict(self.faults),
        )


def share_out(
    devices: Sequence[Device],
    jobs: Sequence[Job],
    *,
    kind: str,
    progress: Callable[[int, int], None],
) -> Done:
    """Answers to the jobs from several boards at once, each as fast as it can.

    A board that fails ends its own work; the others take over what it leaves. Ctrl-C stops asking,
    waits for what is under way and keeps every answer; a second one does not wait.
    """
    pool = _Pool(jobs)
    done = Done(answered=[0] * len(devices))
    alive = set(range(len(devices)))
    while pool.waiting and alive and not done.interrupted:
        ended = []
        for i in alive:
            ended.append(threading.Event())
            arguments = (i, devices[i], pool, done, kind, ended[-1])
            threading.Thread(target=_serve, args=arguments, daemon=True).start()
        _watch(ended, pool, done, lambda: progress(len(done.answers), len(jobs)))
        alive -= done.faults.keys()
    if pool.defect is not None:
        raise pool.defect
    return done.snapshot()


class _Pool:
    """Jobs that wait, behind a lock."""

    def __init__(self, jobs: Sequence[Job]):
        self._jobs = deque(jobs)
        self._lock = threading.Lock()
        self._stopped = False
        self.anew = all(job.begins for job in jobs)
        self.defect: BaseException | None = None

    @property
    def waiting(self) -> bool:
        return bool(self._jobs) and not self._stopped

    def stop(self) -> None:
        self._stopped = True

    def take(self, taken: list[Job]) -> Iterator[tuple]:
        """The windows of jobs, each noted in `taken` before it is given."""
        while True:
            with self._lock:
                if self._stopped or not self._jobs:
                    return
                taken.append(self._jobs.popleft())
            yield taken[-1].arrays

    def give_back(self, jobs: Sequence[Job]) -> None:
        with self._lock:
            self._jobs.extendleft(reversed(jobs))


def _serve(
    index: int, device: Device, pool: _Pool, done: Done, kind: str, ended: threading.Event
) -> None:
    taken: list[Job] = []
    answered: set[int] = set()
    try:
        answers = device.run_many(
            pool.take(taken),
            kind=kind,
            begins=None if pool.anew else lambda i: taken[i].begins,
            depth=_depth(device),
        )
        for answer in answers:
            job = taken[answer.index]
            answered.add(answer.index)
            # First who, then what: whoever reads an answer meanwhile finds its board.
            done.answerers[job.window, job.repeat] = index
            done.answers[job.window, job.repeat] = answer
            done.answered[index] += 1
    except KdEdgeError as error:
        done.faults[index] = error
    except BaseException as error:
        # A defect of ours: the main thread raises it.
        pool.defect = error
        pool.stop()
    pool.give_back([job for i, job in enumerate(taken) if i not in answered])
    ended.set()


def _depth(device: Device) -> int | None:
    """Windows on their way at once; one where the bytes of the next would be counted with the last.

    An emulated board counts every instruction, those that receive the next window among them.
    """
    return 1 if device.hello.ticks_kind == "instructions" else None


def _watch(
    ended: Sequence[threading.Event], pool: _Pool, done: Done, tell: Callable[[], None]
) -> None:
    """Wait for the threads; Ctrl-C stops the pool, a second one the waiting.

    For events, because Python takes a thread for dead whose join() an exception interrupts; two
    threads would then talk to its board.
    """
    while not done.abandoned:
        try:
            while not all(each.is_set() for each in ended):
                for each in ended:
                    each.wait(_TICK_S)
                tell()
            tell()
            return
        except KeyboardInterrupt:
            pool.stop()
            done.abandoned = done.interrupted
            done.interrupted = True
