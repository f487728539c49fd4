"""Jobs on the workers of a Ray cluster: of this machine alone, or one that is there already."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kd_edge.base.errors import KdEdgeError, require
from kd_edge.base.version import __version__
from kd_edge.pipeline.watch import Watch
from kd_edge.trials.executors import Done, JudgeOf, Take
from kd_edge.trials.job import Job, Outcome, run_job
from kd_edge.trials.parcel import Parcel, pack, unpack

# Nothing is sent to Ray's makers, and a task without a GPU sees none without a warning about it.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
# How often a job is begun anew whose worker was killed.
_RETRIES = 3
# Seconds between two looks at what workers have told.
_POLL_S = 0.2
# Seconds in which the head of a cluster must take a connection.
_CONNECT_S = 10.0
# Characters of the folder for temporary files: names of Ray's sockets below it are bounded.
_LONGEST_FOLDER = 20
# Bytes of shared memory of a cluster of this machine: jobs and figures alone go through it.
_STORE_BYTES = 80_000_000


class RayExecutor:
    """As many jobs at a time as there are workers; the same figures as one after the other.

    A job whose worker dies is begun anew on another one: what its training had finished is in the
    cache of that machine. Use it inside `on_this_machine` or `on_cluster`.

    Args:
        data: the recordings here; None for a reader that needs none.
        parcel: the recordings for other machines; None if all workers are on this one.
        slots: jobs at a time.
    """

    def __init__(
        self,
        ray,
        data: Path | None,
        parcel: Parcel | None,
        *,
        slots: int,
        cache: bool,
        watch: Watch,
    ):
        self._ray = ray
        self._watch = watch
        self._slots = slots
        self._shared = ray.put((__version__, data, parcel, _node(ray), cache))
        self._desk = ray.remote(
            num_cpus=0, max_restarts=-1, max_task_retries=-1, max_concurrency=1
        )(_Desk).remote()
        self._run = ray.remote(num_cpus=1, max_retries=_RETRIES)(_work)

    def run(self, take: Take, *, judge: JudgeOf, done: Done) -> None:
        """As `Executor.run`."""
        ray, under_way = self._ray, {}
        try:
            while True:
                while len(under_way) < self._slots and (job := take()) is not None:
                    task = self._run.options(name=f"kd-edge {job.name}")
                    under_way[task.remote(job, self._shared, self._desk)] = job
                if not under_way:
                    return
                judged = any(job.judged for job in under_way.values())
                ready, _ = ray.wait(list(under_way), timeout=_POLL_S if judged else None)
                self._judge(under_way, judge)
                for reference in ready:
                    done(under_way.pop(reference), self._outcome(reference))
        finally:
            for reference in under_way:
                ray.cancel(reference, force=True)

    def _judge(self, under_way: dict[Any, Job], judge: JudgeOf) -> None:
        """Tell the judge what workers have told, and the workers what the judge says."""
        jobs = {job.name: job for job in under_way.values() if job.judged}
        if not jobs:
            return
        for name, epoch, value in self._ray.get(self._desk.take.remote()):
            if name in jobs and judge(jobs[name], epoch, value):
                self._ray.get(self._desk.stop.remote(name))

    def _outcome(self, reference) -> Outcome:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError) as error:
            return Outcome(
                error=_lost(f"workers died {_RETRIES + 1} times over one training", error)
            )
        except errors.RaySystemError as error:
            raise _lost("the cluster is gone", error) from error


class _Desk:
    """What workers tell of their epochs, and which trainings are to end."""

    def __init__(self):
        self._told: list[tuple[str, int, float]] = []
        self._stopped: set[str] = set()

    def tell(self, name: str, epoch: int, value: float) -> bool:
        """Whether the training is to end."""
        self._told.append((name, epoch, value))
        return name in self._stopped

    def take(self) -> list[tuple[str, int, float]]:
        """What was told since it was asked last."""
        told, self._told = self._told, []
        return told

    def stop(self, name: str) -> None:
        """The training's next epoch is its last."""
        self._stopped.add(name)


def _work(job: Job, shared: tuple, desk) -> Outcome:
    """One job, in a worker's process."""
    import ray

    version, data, parcel, node, cache = shared
    if version != __version__:
        error = f"the worker has kd-edge {__version__}, and the search {version}"
        hint = "install the same version on every machine of the cluster"
        return Outcome(error=KdEdgeError("KD_CLUSTER", error, where=os.uname().nodename, hint=hint))
    from kd_edge.runtimes.native_stderr import start_tensorflow_quietly

    start_tensorflow_quietly()
    try:
        if parcel is not None and _node(ray) != node:
            data = unpack(parcel, ray.get)
    except KdEdgeError as error:
        return Outcome(error=error)

    def judge(epoch: int, value: float) -> bool:
        return ray.get(desk.tell.remote(job.name, epoch, value))

    return run_job(job, data, cache=cache, watch=Watch(), judge=judge)


def _node(ray) -> str:
    return ray.get_runtime_context().get_node_id()


def _lost(what: str, error: Exception) -> KdEdgeError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return KdEdgeError(
        "KD_CLUSTER",
        what,
        where=f"Ray: {lines[0][:300]}",
        hint="the same command goes on; `ray status` shows the cluster's machines",
    )


@contextlib.contextmanager
def on_this_machine(
    workers: int, data: Path | None, *, cache: bool, watch: Watch
) -> Iterator[RayExecutor]:
    """Workers of this machine, which end with the block.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE: Ray is not installed. KD_CLUSTER: it does not start.
    """
    with contextlib.ExitStack() as stack:
        settings = {
            "address": "local",
            "num_cpus": workers,
            "num_gpus": 0,
            "include_dashboard": False,
            "object_store_memory": _STORE_BYTES,
        }
        if len(tempfile.gettempdir()) <= _LONGEST_FOLDER:
            settings["_temp_dir"] = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="kd-ray-", ignore_cleanup_errors=True)
            )
        ray = stack.enter_context(_connected(settings))
        yield RayExecutor(ray, _absolute(data), None, slots=workers, cache=cache, watch=watch)


@contextlib.contextmanager
def on_cluster(
    address: str, data: Path | None, *, cache: bool, watch: Watch
) -> Iterator[RayExecutor]:
    """The workers of a cluster that is there already; one job for each of its cores.

    Recordings travel once: each file's content is put into Ray's store, and a machine writes what
    it does not have into its user's cache.

    Args:
        address: 'auto', or 'HOST:PORT' of the cluster's head.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE: Ray is not installed. KD_CLUSTER: there is no such cluster.
    """
    _check_address(address)
    with _connected({"address": address}) as ray:
        slots = int(ray.cluster_resources().get("CPU", 0))
        if slots < 1:
            raise KdEdgeError(
                "KD_CLUSTER",
                "the cluster has no cores to train on",
                where=address,
                hint="start workers with `ray start --address=HOST:PORT`",
            )
        parcel = None if data is None else pack(data, ray.put)
        if data is not None:
            size = sum(path.stat().st_size for path in _files(data))
            watch.note(f"{len(parcel.files)} files of recordings ({size / 1e6:.1f} MB) may travel")
        yield RayExecutor(ray, _absolute(data), parcel, slots=slots, cache=cache, watch=watch)


def _check_address(address: str) -> None:
    """Look whether somebody listens: Ray itself would try for ten minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise KdEdgeError(
            "KD_USAGE",
            f"'{address}' is not the address of a cluster",
            where="--ray",
            hint="give 'auto', or the head's HOST:PORT, as `ray start --head` prints it",
        )
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise _lost(f"no cluster at '{address}'", error) from error


def _files(data: Path) -> Iterator[Path]:
    return iter([data]) if data.is_file() else (p for p in data.rglob("*") if p.is_file())


def _absolute(data: Path | None) -> Path | None:
    return None if data is None else data.resolve()


@contextlib.contextmanager
def _connected(settings: dict[str, Any]) -> Iterator[Any]:
    """Ray, connected while the block runs; its warnings and signal handlers are not ours."""
    os.environ.update(_ENVIRONMENT)
    logging.getLogger("ray").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray = require("ray", extra="search", purpose="training on several workers")
        ended = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(
                **settings,
                log_to_driver=False,
                configure_logging=False,
                runtime_env={"env_vars": _ENVIRONMENT},
            )
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            ray.shutdown()
            raise _lost(f"no cluster at '{settings['address']}'", error) from error
        finally:
            with contextlib.suppress(ValueError):  # not the main thread: nothing was set
                signal.signal(signal.SIGTERM, ended)
        try:
            yield ray
        finally:
            ray.shutdown()
