"""Many windows through a board without letting it wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.protocol import BY_NAME, FLAGS, KINDS
from kd_edge.base.wire import fixed_bytes
from kd_edge.link.channel import BoardRefusal, BoardRestarted, Channel, NoAnswer, Request
from kd_edge.link.checks import whole_answer
from kd_edge.link.messages import Answer, Hello, window_content
from kd_edge.link.refusals import refusal_error

_RUN_FIXED = fixed_bytes(BY_NAME["RUN"])
_SCORES_FIXED = fixed_bytes(BY_NAME["SCORES"])
_MOST_RESTARTS = 3
_MOST_REPEATS = 5


@dataclass
class _Job:
    """One window: how much of it was posted, and the requests that bring its answer.

    Attributes:
        last: the RUN.
        more: the SCORES, for an output that is larger than one answer.
        whole: everything was posted.
    """

    index: int
    content: bytes
    posted: int = 0
    last: Request | None = None
    more: list[Request] = field(default_factory=list)
    whole: bool = False
    repeats: int = 0

    @property
    def requests(self) -> list[Request]:
        return [self.last, *self.more] if self.last else []

    @property
    def refusal(self) -> BoardRefusal | None:
        """The first one, once it has come."""
        answers = (request.answer for request in self.requests)
        return next((a for a in answers if isinstance(a, BoardRefusal)), None)

    @property
    def answered(self) -> bool:
        return self.whole and not self.refusal and all(r.answer for r in self.requests)

    def begin_again(self) -> None:
        self.posted = 0
        self.last = None
        self.more = []
        self.whole = False


class Runs:
    """Windows on their way to a board and answers on their way back, in order.

    Args:
        channel: in a session.
        hello: the session's.
        windows: as `window_content` takes them; taken only as fast as the board answers.
        kind: "int8" or "raw".
        keep_state: the model's state is not reset before each window.
        begins: whether a running normaliser and a decision rule begin anew before a window of that
            index; None: before every one.
        depth: windows on their way at most; None: as many as the board keeps answers.
        rejoin: opens a new session after the board began anew, and returns its HELLO.
        heed: told how many seconds the board needed for each answer, before it is handed on.
    """

    def __init__(
        self,
        channel: Channel,
        hello: Hello,
        windows: Iterable,
        *,
        kind: str,
        keep_state: bool,
        begins: Callable[[int], bool] | None,
        depth: int | None,
        rejoin: Callable[[], Hello],
        heed: Callable[[float], None],
    ):
        self._channel = channel
        self._hello = hello
        self._windows = enumerate(windows)
        self._kind = kind
        self._keep_state = keep_state
        self._begins = begins
        self._depth = depth or hello.depth
        self._rejoin = rejoin
        self._heed = heed
        self._jobs: deque[_Job] = deque()
        self._restarts = 0

    def answers(self) -> Iterator[Answer]:
        """Answers in the windows' order; on a fault first all that came, then the fault.

        Raises:
            KdEdgeError: as `Device.run_many`.
            NoAnswer: the retry limit was reached.
        """
        try:
            while True:
                try:
                    self._fill()
                    if not self._jobs:
                        return
                    if not self._is_answered(self._jobs[0]):
                        self._channel.pump()
                except BoardRestarted:
                    self._start_over()
                while self._jobs and self._is_answered(self._jobs[0]):
                    yield self._answer(self._jobs.popleft())
        except (KdEdgeError, NoAnswer):
            for job in self._jobs:
                if job.answered:
                    yield self._answer(job)
            raise

    def _fill(self) -> None:
        """Posts whatever has room, window by window."""
        while True:
            job = next((job for job in self._jobs if not job.whole), None)
            if job is None:
                job = self._next_job()
                if job is None:
                    return
            if not self._post(job):
                return

    def _next_job(self) -> _Job | None:
        if len(self._jobs) >= self._depth:
            return None
        index, window = next(self._windows, (None, None))
        if index is None:
            return None
        self._jobs.append(_Job(index, window_content(window, self._hello, self._kind)))
        return self._jobs[-1]

    def _post(self, job: _Job) -> bool:
        """Posts the rest of a window. Returns False if there is no more room."""
        return self._post_window(job) and self._post_scores(job)

    def _post_window(self, job: _Job) -> bool:
        largest = self._hello.max_payload - _RUN_FIXED
        while job.last is None:
            chunk = job.content[job.posted : job.posted + largest]
            if not self._channel.has_room(_RUN_FIXED + len(chunk)):
                return False
            values = {
                "kind": KINDS[self._kind.upper()],
                "flags": self._flags(job),
                "offset": job.posted,
                "data": chunk,
            }
            job.posted += len(chunk)
            if job.posted < len(job.content):
                self._channel.post("PART", values)
            else:
                job.last = self._channel.post("RUN", values)
        return True

    def _flags(self, job: _Job) -> int:
        goes_on = self._begins is not None and not self._begins(job.index)
        keeps = (FLAGS["KEEP_WEARER"] | FLAGS["KEEP_DECISION"]) * goes_on
        return FLAGS["KEEP_STATE"] * self._keep_state | keeps

    @property
    def _remembers(self) -> bool:
        """Whether an answer depends on the windows before it."""
        return self._keep_state or self._begins is not None

    def _post_scores(self, job: _Job) -> bool:
        """Asks for what the RUN's answer has no room for; the next window overwrites it."""
        while not job.whole:
            offset = (1 + len(job.more)) * self._hello.scores_bytes
            if offset >= self._hello.output_bytes:
                job.whole = True
                break
            if not self._channel.has_room(_SCORES_FIXED):
                return False
            values = {"run": job.last.sequence, "offset": offset}
            job.more.append(self._channel.post("SCORES", values))
        return True

    def _is_answered(self, job: _Job) -> bool:
        """Whether its answer is there; posts it anew if the board lost its parts or its scores."""
        refusal = job.refusal
        if refusal is None:
            return job.answered
        # A text command or a second program got between its parts, or between its scores.
        again = refusal.status == "ORDER" or (refusal.status == "GONE" and not self._remembers)
        if not again or job.repeats >= _MOST_REPEATS:
            raise self._refused(job, refusal)
        job.repeats += 1
        job.begin_again()
        for other in self._jobs:
            if not other.whole:
                other.begin_again()
        return False

    def _answer(self, job: _Job) -> Answer:
        run = job.last.answer
        scores = b"".join([run.scores, *(request.answer.scores for request in job.more)])
        answer = whole_answer(
            run, scores, self._hello, where="RUN_ANSWER", index=job.index, sends=job.last.sends
        )
        # What the board says it needed, but no more than it was waited for.
        waited = job.last.answered_at - job.last.posted_at
        self._heed(min(answer.microseconds / 1e6, waited))
        return answer

    def _start_over(self) -> None:
        """A new session; windows without answer are posted again."""
        self._restarts += 1
        at = self._jobs[0].index if self._jobs else 0
        if self._remembers or self._restarts > _MOST_RESTARTS:
            raise KdEdgeError(
                "KD_BOARD_RESET",
                f"{self._hello.board} began anew in the middle of a run"
                + ("" if self._remembers else f", {self._restarts} times"),
                where=f"window {at} was the first without answer",
                hint="a fault in the firmware, or its power sags; the windows' state is lost"
                if self._remembers
                else "a fault in the firmware, its watchdog, or its power sags",
            )
        self._hello = self._rejoin()
        for job in self._jobs:
            if not job.answered:
                job.begin_again()

    def _refused(self, job: _Job, refusal: BoardRefusal) -> KdEdgeError:
        self._jobs.remove(job)
        return refusal_error(self._hello.board, refusal, where=f"window {job.index}")
