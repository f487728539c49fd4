"""Keras's answers on held-out windows, kept beside the windows so that `bench` needs neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kd_edge.examples import Examples, join, spread_evenly
from kd_edge.pipeline.context import WORK_FOLDER, Context
from kd_edge.pipeline.kept_windows import (
    PARITY_PART,
    WINDOWS_FILE,
    StoredWindows,
    load_windows,
    save_windows,
)
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.training import Teacher, network_of, predictor

VALIDATION_FILE = f"{WORK_FOLDER}/validation.npz"
VALIDATION = "validation"


@dataclass(frozen=True, eq=False)
class KerasAnswers:
    """Windows and the models' logits on them.

    Attributes:
        stored: test parts and parity windows, as the bundle keeps them.
        validation: the same for the validation part, under the name `VALIDATION`.
    """

    stored: StoredWindows
    validation: StoredWindows

    @property
    def held_out(self) -> StoredWindows:
        """The validation and test parts, without the parity windows."""
        tests = self.tested
        return StoredWindows(
            {**self.validation.parts, **tests.parts},
            {m: {**self.validation.logits[m], **tests.logits[m]} for m in tests.logits},
        )

    @property
    def tested(self) -> StoredWindows:
        """The test parts, without the parity windows."""
        tests = {n: w for n, w in self.stored.parts.items() if n != PARITY_PART}
        return StoredWindows(tests, self.stored.logits)


def answer(context: Context, models: Sequence[Teacher]) -> KerasAnswers:
    """Run models and files' teachers over the held-out windows, or load what was kept of them."""
    parts = {**context.data.tests, PARITY_PART: _parity_windows(context)}
    key = key_of(
        context.data.key,
        [[model.name, model.digest] for model in models],
        context.recipe.proof.parity_windows,
        context.recipe.seed,
        list(parts),
        context.dataset.examples.groups.names,
    )

    def make() -> None:
        networks = [(model, predictor(network_of(model, context.out))) for model in models]
        for file, windows in (
            (WINDOWS_FILE, parts),
            (VALIDATION_FILE, {VALIDATION: context.data.validation}),
        ):
            logits = {
                model.name: {
                    name: answer(part.only(model.inputs)) for name, part in windows.items()
                }
                for model, answer in networks
            }
            save_windows(context.out / file, StoredWindows(windows, logits))

    context.stages.run("answers of Keras", key, [WINDOWS_FILE, VALIDATION_FILE], make)
    selectors = [model.name for model in models if model.role == "selector"]
    return KerasAnswers(
        *(
            load_windows(context.out / file, selectors=selectors)
            for file in (WINDOWS_FILE, VALIDATION_FILE)
        )
    )


def _parity_windows(context: Context) -> Examples:
    """Test windows, topped up from validation and training where they are too few."""
    fold = context.folds[0]
    chosen: list[Examples] = []
    for part in (*fold.tests, fold.validation, fold.train):
        left = context.recipe.proof.parity_windows - sum(map(len, chosen))
        if left <= 0:
            break
        windows = context.data.of(part)
        picked = spread_evenly(windows.strata, windows.groups.subject, left, context.recipe.seed)
        chosen.append(windows.take(picked).in_memory())
    return join(chosen)
