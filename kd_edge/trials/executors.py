"""Where the trainings of a sweep run: one after the other here, or on the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from kd_edge.pipeline.watch import Watch
from kd_edge.trials.job import Job, Outcome, run_job

# The next job; None where there is none now, though there may be one after another has ended.
Take = Callable[[], Job | None]
# Told a job, an epoch and its validation figure; says whether the job is to end.
JudgeOf = Callable[[Job, int, float], bool]
# Told what came of a job.
Done = Callable[[Job, Outcome], None]


class Executor(Protocol):
    """Runs jobs. All three functions are called in the thread that called `run`."""

    def run(self, take: Take, *, judge: JudgeOf, done: Done) -> None:
        """Run jobs until there are no more.

        Args:
            take: asked for a job whenever one can begin, and again after each `done`.
            judge: told of every epoch of a job's judged model.
            done: told each job's outcome, in the order in which they end.

        Raises:
            KdEdgeError KD_CLUSTER: the cluster is gone.
        """


class HereExecutor:
    """One job after the other in this process.

    Args:
        data: the recordings; None for a reader that needs none.
        cache: whether the user's cache is used.
        watch: told of stages and epochs.
    """

    def __init__(self, data: Path | None, *, cache: bool = True, watch: Watch | None = None):
        self._data = data
        self._cache = cache
        self._watch = watch or Watch()

    def run(self, take: Take, *, judge: JudgeOf, done: Done) -> None:
        """As `Executor.run`."""
        while (job := take()) is not None:
            outcome = run_job(
                job,
                self._data,
                cache=self._cache,
                watch=self._watch,
                judge=lambda epoch, value, job=job: judge(job, epoch, value),
            )
            done(job, outcome)
