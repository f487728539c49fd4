"""Options that say where the trainings of a sweep run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kd_edge.base.errors import KdEdgeError

if TYPE_CHECKING:
    from kd_edge.pipeline.watch import Watch
    from kd_edge.trials.executors import Executor

_MOST_WORKERS = 1024


def workers(command: Callable) -> Callable:
    """`--workers` and `--ray`; the command takes `n_workers` and `ray`."""
    command = click.option(
        "--ray", metavar="ADDRESS", help="Train on a Ray cluster: 'auto', or its head's HOST:PORT."
    )(command)
    return click.option(
        "--workers",
        "n_workers",
        type=click.IntRange(1, _MOST_WORKERS),
        help="Train so many at a time on this machine, by Ray; one after the other without it.",
    )(command)


def check_workers(n_workers: int | None, ray: str | None) -> None:
    """Raise KD_USAGE if both options are given."""
    if n_workers is not None and ray is not None:
        raise KdEdgeError(
            "KD_USAGE",
            "--workers starts workers here, and --ray takes those of a cluster",
            where="--workers, --ray",
            hint="give one of them",
        )


@contextlib.contextmanager
def executing(
    data: Path | None, n_workers: int | None, ray: str | None, *, cache: bool, watch: Watch
) -> Iterator[Executor]:
    """What runs the trainings while the block runs.

    Raises:
        KdEdgeError: as `on_this_machine` and `on_cluster`.
    """
    from kd_edge.trials.executors import HereExecutor
    from kd_edge.trials.on_ray import on_cluster, on_this_machine

    if ray is not None:
        with on_cluster(ray, data, cache=cache, watch=watch) as executor:
            yield executor
    elif n_workers is not None:
        with on_this_machine(n_workers, data, cache=cache, watch=watch) as executor:
            yield executor
    else:
        yield HereExecutor(data, cache=cache, watch=watch)
