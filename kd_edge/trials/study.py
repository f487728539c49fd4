"""The study: Optuna's, kept in a journal of the output folder, so that a killed search goes on."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kd_edge.base.errors import KdEdgeError, require
from kd_edge.base.files import own_path
from kd_edge.recipe import Choices, Search
from kd_edge.recipe.search import Values

if TYPE_CHECKING:
    import optuna

JOURNAL_FILE = "study.journal"
EXTRA = "search"
# Trials before the sampler and the pruner begin to choose.
_RANDOM_TRIALS, _UNPRUNED_TRIALS = 10, 4


class Study:
    """Asks for values and takes what came of them; whatever is told is on disk.

    Args:
        name: of what is searched: the same goes on, another begins beside it.
        seed: of the values that are tried.
    """

    def __init__(self, folder: Path, search: Search, *, name: str, seed: int):
        optuna = require("optuna", extra=EXTRA, purpose="searching")
        optuna.logging.set_verbosity(logging.ERROR)
        self._optuna = optuna
        self._search = search
        self._seed = seed
        self._study = _opened(optuna, folder, name, self._pruner())
        self._told: set[tuple[int, int]] = set()

    def retry_interrupted(self) -> int:
        """Ask again for what a killed process was at; says how many trials that is.

        Whoever calls holds the folder: no other process is at them.
        """
        left = self._study.get_trials(deepcopy=False, states=(self._states.RUNNING,))
        for trial in left:
            self._study.tell(trial.number, state=self._states.FAIL)
            self._study.enqueue_trial(trial.params)
        return len(left)

    def begin_with(self, values: Mapping[str, Any]) -> None:
        """Try these values first, unless trials have begun."""
        if not self._study.get_trials(deepcopy=False):
            space = self._search.space
            self._study.enqueue_trial({k: _stored(v, space[k]) for k, v in values.items()})

    def ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        """The next trial and its values, by dotted key."""
        # Of each trial's own number: a search that was killed goes on as it would have gone.
        self._study.sampler = self._sampler(len(self._study.get_trials(deepcopy=False)))
        trial = self._study.ask()
        return trial, {key: suggest(trial, key, of) for key, of in self._search.space.items()}

    def report(self, trial: optuna.Trial, step: int, value: float) -> bool:
        """Tell how a trial is doing; says whether to give it up."""
        if (trial.number, step) not in self._told:  # a training that was begun anew tells again
            self._told.add((trial.number, step))
            trial.report(value, step)
        return trial.should_prune()

    def complete(self, trial: optuna.Trial, score: float, **facts: Any) -> None:
        """It has a score; `facts` are what JSON can hold."""
        self._tell(trial, facts, self._states.COMPLETE, score)

    def prune(self, trial: optuna.Trial, **facts: Any) -> None:
        """It was given up."""
        self._tell(trial, facts, self._states.PRUNED)

    def refuse(self, trial: optuna.Trial, over: Mapping[str, float], **facts: Any) -> None:
        """It was not trained: it breaks limits, by these shares."""
        for name, share in over.items():
            trial.set_constraint(name, share)
        self._tell(trial, facts | {"over": sorted(over)}, self._states.PRUNED)

    def fail(self, trial: optuna.Trial, error: KdEdgeError, **facts: Any) -> None:
        """It could not be done."""
        self._tell(trial, facts | {"error": error.to_json()}, self._states.FAIL)

    def finished(self) -> list[optuna.trial.FrozenTrial]:
        """Every trial with an outcome, in the order in which they were asked for."""
        states = (self._states.COMPLETE, self._states.PRUNED, self._states.FAIL)
        trials = self._study.get_trials(deepcopy=False, states=states)
        # One that was killed has no outcome.
        failed = self._states.FAIL
        return [t for t in trials if t.state != failed or "error" in t.user_attrs]

    def _tell(self, trial, facts: Mapping[str, Any], state, value: float | None = None) -> None:
        for name, fact in facts.items():
            trial.set_user_attr(name, fact)
        self._study.tell(trial, value, state=state)

    @property
    def _states(self):
        return self._optuna.trial.TrialState

    def _sampler(self, number: int):
        seed = (self._seed * 1_000_003 + number) % 2**32
        samplers = self._optuna.samplers
        if self._search.sampler == "random":
            return samplers.RandomSampler(seed=seed)
        return samplers.TPESampler(seed=seed, n_startup_trials=_RANDOM_TRIALS)

    def _pruner(self):
        pruners = self._optuna.pruners
        if self._search.pruner == "median":
            return pruners.MedianPruner(n_startup_trials=_UNPRUNED_TRIALS)
        if self._search.pruner == "halving":
            return pruners.SuccessiveHalvingPruner()
        return pruners.NopPruner()


def _opened(optuna, folder: Path, name: str, pruner) -> optuna.Study:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path = own_path(folder, JOURNAL_FILE)
    # Whoever held it was killed: the folder is ours.
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
    try:
        _check_journal(path)
        storage = JournalStorage(JournalFileBackend(str(path)))
        return optuna.create_study(
            storage=storage, study_name=name, load_if_exists=True, direction="maximize",
            pruner=pruner,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"this is not the journal of a search: {type(error).__name__}: {error}",
            where=str(path),
            hint="name another folder with --out, or delete the file to begin again",
        ) from error


def _check_journal(path: Path) -> None:
    """Look at every line, and cut off one that a killed process has not written to its end.

    Optuna takes a broken last line for one that is being written, and would write behind it.
    """
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    for line in content[:whole].splitlines():
        json.loads(line)["op_code"]
    if whole < len(content):
        with path.open("r+b") as stream:
            stream.truncate(whole)


def suggest(trial, key: str, values: Values) -> Any:
    """The value that a trial has at a key."""
    if isinstance(values, Choices):
        return json.loads(trial.suggest_categorical(key, values.texts))
    if values.whole:
        return trial.suggest_int(
            key, values.low, values.high, step=values.step or 1, log=values.log
        )
    return float(
        trial.suggest_float(key, values.low, values.high, step=values.step, log=values.log)
    )


def shown(trial: optuna.trial.FrozenTrial, search: Search) -> dict[str, Any]:
    """A trial's values, by dotted key."""
    space = search.space
    return {
        key: json.loads(value) if isinstance(space[key], Choices) else value
        for key, value in trial.params.items()
        if key in space
    }


def _stored(value: Any, of: Values) -> Any:
    """A value as Optuna keeps it."""
    return json.dumps(value, sort_keys=True) if isinstance(of, Choices) else value
