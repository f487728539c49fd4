"""What a runtime is: one record, which everything else reads."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from kd_edge.base.formats import FileKind, Format
from kd_edge.runtimes.interpreter import Interpreter


def takes_all(form: Format, operators: Collection[str]) -> str:
    """Of a runtime that refuses no format."""
    del form, operators
    return ""


def _nothing(form: Format) -> str:
    del form
    return ""


@dataclass(frozen=True)
class Runtime:
    """Something that runs a model's file.

    Attributes:
        name: as in options, reports and bundles.
        title: for people.
        summary: what it is to `kd-edge doctor`, in a few words.
        package: importable where the runtime is installed; None if it is no package.
        distribution: what pip calls the package.
        install: how to get it.
        kind: of file that it opens; a file of another kind is nothing to it.
        open: (path, *, preserve_tensors, threads) -> Interpreter. Never asked to preserve tensors
            where there are no inner ones.
        refuses: (format, operators of the model) -> why it does not take such a file, as a
            sentence for people; '' where it does.
        beside: format -> what must stand beside its figures on this runtime, as a part of a
            sentence; '' for nothing.
        timed: its times tell something.
        required: kd-edge's own commands need it.
        present: whether it can run here, if that is not its package alone.
        version: of what it runs with, if it is no package.
        oracle: a board answers bit for bit as it does.
        stands_in: for another oracle: it is measured only where that is not installed.
        inner_tensors: they can be read.
        on_phones: hosts and phones run it, so that float forms are proved on it.
        has_arena: it runs a model in one block of memory, whose size is measured.
        smallest_lstm_scale: scale of an int8 LSTM's output below which its answers were found to be
            wrong; None where none were.
    """

    name: str
    title: str
    summary: str
    package: str | None
    distribution: str | None
    install: str
    open: Callable[..., Interpreter]
    kind: FileKind = FileKind.TFLITE
    refuses: Callable[[Format, Collection[str]], str] = takes_all
    beside: Callable[[Format], str] = _nothing
    timed: bool = True
    present: Callable[[], bool] | None = None
    version: Callable[[], str | None] | None = None
    required: bool = False
    oracle: bool = False
    stands_in: bool = False
    inner_tensors: bool = True
    on_phones: bool = False
    has_arena: bool = False
    smallest_lstm_scale: float | None = None
