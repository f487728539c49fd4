"""What the models of one fold and seed answer to its test parts, each kept in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.formats import SHIPPED
from kd_edge.examples import Examples, spread_evenly
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.converting import Converter
from kd_edge.pipeline.parts import FoldWindows
from kd_edge.pipeline.results.figures import shares_of
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.training import Trained
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.parity import compare_runtimes
from kd_edge.runtimes.registry import ORACLE, installed, open_interpreter
from kd_edge.runtimes.results import Parity
from kd_edge.tasks import find_task

# (a model, its own inputs of n examples) -> (n, classes) logits.
Predict = Callable[[Trained, Examples], np.ndarray]
# Part -> (n, classes) probabilities; of a task whose examples are right in part, (n, ...) counts.
Shares = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class TrainedFold:
    """One fold and seed with its trained models.

    Attributes:
        context: of the seed. data: the fold's windows, the same as `context.data`.
        folder: of its models, below the output folder, with '/' behind it.
        models: name -> trained model.
    """

    context: Context
    data: FoldWindows
    folder: str
    models: dict[str, Trained]

    def floats(self, name: str, predict: Predict) -> Shares:
        """A model in floating point."""
        model = self.models[name]

        def ask() -> Shares:
            return {
                part: predict(model, windows.only(model.inputs))
                for part, windows in self.data.tests.items()
            }

        return self._kept_shares(name, ["float", model.sha256, model.inputs], ask)

    def joined(self, names: Sequence[str], predict: Predict) -> Shares:
        """Teachers as a student that learns from them saw them: one, or joined."""
        if len(names) == 1:
            return self.floats(names[0], predict)
        from kd_edge.distill.ensemble import choose, combine

        recipe, validation = self.context.recipe, self.data.validation
        method = recipe.distillation.ensemble
        models = [self.models[name] for name in names]

        def ask() -> Shares:
            chosen = choose(
                [predict(model, validation.only(model.inputs)) for model in models],
                validation.truth,
                task=find_task(recipe.task),
                method=method,
                drop=recipe.distillation.drop_teachers,
            )
            return {
                part: combine(
                    [predict(models[at], windows.only(models[at].inputs)) for at in chosen.kept],
                    method=method,
                    held_out_accuracy=chosen.accuracies,
                )
                for part, windows in self.data.tests.items()
            }

        digests = [[model.sha256, model.inputs] for model in models]
        key = ["joined", digests, recipe.distillation.model_dump(mode="json")]
        return self._kept_shares(" and ".join(names), key, ask)

    def shipped(self, name: str) -> tuple[Shares, int]:
        """A model in int8 on TFLite Micro, and the bytes of its file."""
        file, sha256 = self.converted(name)

        def ask() -> Shares:
            interpreter = open_interpreter(ORACLE, file)
            return {
                part: run_windows(interpreter, windows.only(self.models[name].inputs)).logits
                for part, windows in self.data.tests.items()
            }

        shares = self._kept_shares(f"{name} in {SHIPPED}", ["shipped", sha256, ORACLE], ask)
        return shares, file.stat().st_size

    def baseline(self, name: str) -> Shares:
        """A baseline, fitted on the training part behind the same front end."""
        data, seed = self.data, self.context.recipe.seed

        def ask() -> Shares:
            from kd_edge.measure.baselines import baseline_scores

            return baseline_scores(
                name, data.training, data.tests, rate_hz=data.input_rates_hz, seed=seed
            )

        return self._kept(name, ["baseline", name, seed], ask)

    def parity(self, name: str) -> tuple[Parity, ...]:
        """The int8 model on TFLite Micro beside every other runtime that is installed here."""
        from pydantic import TypeAdapter

        file, sha256 = self.converted(name)
        proof, seed = self.context.recipe.proof, self.context.recipe.seed
        tested = next(iter(self.data.tests.values())).only(self.models[name].inputs)
        others = [other for other in installed() if other != ORACLE]
        adapter = TypeAdapter(tuple[Parity, ...])

        def ask():
            chosen = spread_evenly(tested.strata, tested.groups.subject, proof.parity_windows, seed)
            windows, task = tested.take(chosen), find_task(self.context.recipe.task)
            return adapter.dump_python(
                tuple(
                    compare_runtimes(file, windows, other, ORACLE, fmt=SHIPPED, task=task)
                    for other in others
                ),
                mode="json",
            )

        key = key_of(self.data.key, sha256, proof.parity_windows, seed, others)
        stages = self.context.stages
        return adapter.validate_python(stages.run(f"parity of {self.folder}{name}", key, [], ask))

    def converted(self, name: str) -> tuple[Path, str]:
        """The int8 file of a model, and its SHA-256."""
        from kd_edge.base.files import sha256_file

        made = Converter(self.context).convert(self.models[name], SHIPPED)
        file = self.context.out / made.file
        return file, sha256_file(file)

    def _kept_shares(self, name: str, key, ask: Callable[[], dict[str, np.ndarray]]) -> Shares:
        """Of logits part by part, which are kept; of a counted task, their counts are."""
        counted = find_task(self.context.recipe.task).counted
        if counted is None:
            kept = self._kept(name, key, ask)
            return {part: shares_of(logits) for part, logits in kept.items()}
        tests = self.data.tests
        return self._kept(
            name,
            key,
            lambda: {part: counted.of(said, tests[part].truth) for part, said in ask().items()},
        )

    def _kept(self, name: str, key, ask: Callable[[], Shares]) -> Shares:
        """What `ask` says, part by part, from the store if it was asked before."""
        parts = list(self.data.tests)
        kept = self.context.stages.arrays(
            f"answers of {self.folder}{name}",
            key_of(self.data.key, parts, self.context.recipe.task, key),
            lambda: {str(at): answers for at, answers in enumerate(ask().values())},
        )
        return {part: kept[str(at)] for at, part in enumerate(parts)}
