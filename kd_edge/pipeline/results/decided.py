"""What a row's student in int8 says with the recipe's decision rule, person by person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter

from kd_edge.base.decision import DecisionRule, sureness
from kd_edge.pipeline.deciding import recipe_events, sure_enough, told_apart
from kd_edge.pipeline.results.answers import TrainedFold
from kd_edge.pipeline.results.figures import accuracy_at, spread_of
from kd_edge.pipeline.ruling import Fitted, Part, rest_of, unknown_dataset, unknown_parts
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.streams import has_rest
from kd_edge.recipe import Decision
from kd_edge.report import results_tree as tree
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.registry import ORACLE, open_interpreter
from kd_edge.tasks.events import EventScore

# Percent of a person's windows, the surest ones.
COVERAGES = (100, 90, 80, 70)


@dataclass(frozen=True)
class Strange:
    """Windows of gestures that no model learned, beside a person's others.

    Attributes:
        rejected: percent. auroc: by what makes a window sure, 0 to 1.
    """

    rejected: float
    auroc: Mapping[str, float]


@dataclass(frozen=True)
class OfPerson:
    """One person's figures of one fold and seed.

    Attributes:
        coverage: percent of the windows, as text -> percent right among so many surest ones.
        answered: percent of the windows that the rule does not reject.
        answered_right: percent of those; None if none is left.
        strange: None without unknown classes. events: None without streams.
    """

    coverage: Mapping[str, float]
    answered: float
    answered_right: float | None
    strange: Strange | None
    events: EventScore | None
    has_rest: bool


_PEOPLE = TypeAdapter(dict[str, OfPerson])


def decided_of(asked: TrainedFold, student: str, part: str) -> dict[str, OfPerson]:
    """Person -> figures on a test part.

    Temperature and thresholds are fitted on the fold's validation part.
    """
    context, data = asked.context, asked.data
    recipe, model = context.recipe, asked.models[student]
    file, sha256 = asked.converted(student)
    unknown = unknown_dataset(context)
    key = key_of(
        data.key,
        [sha256, model.inputs, part, ORACLE, recipe.seed],
        TypeAdapter(Decision).dump_python(recipe.decision, mode="json"),
        recipe.model_dump(mode="json", include={"windows"}),
        unknown and unknown.key,
    )

    def make():
        interpreter = open_interpreter(ORACLE, file)

        def asks(windows) -> Part:
            return Part(windows, run_windows(interpreter, windows.only(model.inputs)).raw)

        fitted = Fitted.on(asks(data.validation), interpreter, context, asks)
        rule = fitted.rule(recipe.decision, rest_of(recipe.decision, data.validation.class_names))
        tested = asks(data.tests[part])
        strange = unknown_parts(unknown, {part: tested}, context, asks).get(part)
        people = np.unique(tested.windows.groups.subject)
        return _PEOPLE.dump_python(
            {
                str(person): _of_person(
                    _of(tested, person), strange and _of(strange, person), fitted.plain, rule, asked
                )
                for person in people
            },
            mode="json",
        )

    name = f"decisions of {asked.folder}{student}"
    return _PEOPLE.validate_python(context.stages.run(name, key, [], make))


def _of(part: Part, person: str) -> Part:
    own = np.flatnonzero(part.windows.groups.subject == person)
    return Part(part.windows.take(own), part.scores[own])


def _of_person(
    part: Part, strange: Part | None, plain: DecisionRule, rule: DecisionRule, asked: TrainedFold
) -> OfPerson:
    recipe, recordings = asked.context.recipe, asked.context.dataset.recordings
    confidence, right = sure_enough(part, plain)
    kept = ~sureness(rule, part.scores).rejected(rule)
    return OfPerson(
        coverage={str(at): 100 * accuracy_at(confidence, right, at / 100) for at in COVERAGES},
        answered=100 * float(kept.mean()),
        answered_right=100 * float(right[kept].mean()) if kept.any() else None,
        strange=_strange(part, strange, plain, rule) if strange and len(strange.scores) else None,
        events=recipe_events(part, rule, recipe, recordings),
        has_rest=has_rest(part.windows, rule.rest),
    )


def _strange(part: Part, strange: Part, plain: DecisionRule, rule: DecisionRule) -> Strange:
    return Strange(
        rejected=100 * float(sureness(rule, strange.scores).rejected(rule).mean()),
        auroc=told_apart(part, strange, plain),
    )


def decisions_of(seeds: Sequence[Mapping[str, OfPerson]], unknown: Sequence[str]) -> tree.Decisions:
    """The figures of all folds over seeds and people.

    Args:
        seeds: person -> figures, of each seed. unknown: classes that no model learned.
    """

    def spread(value) -> tree.Spread | None:
        found = [{name: value(one) for name, one in people.items()} for people in seeds]
        return spread_of([{n: v for n, v in one.items() if v is not None} for one in found])

    def of_events(value) -> tree.Spread | None:
        return spread(lambda one: one.events and value(one.events))

    everybody = [one for people in seeds for one in people.values()]
    first, events, strange = everybody[0], None, None
    if first.events is not None:
        events = tree.Events(
            has_rest=any(one.has_rest for one in seeds[0].values()),
            found=of_events(lambda score: 100 * score.found_share if score.n_events else None),
            alarms_a_minute=of_events(lambda score: score.alarms_a_minute),
            delay_s=of_events(lambda score: score.median_delay_s),
            gestures=sum(one.events.n_events for one in seeds[0].values()),
            minutes=sum(one.events.minutes for one in seeds[0].values()),
        )
    if any(one.strange for one in everybody):
        strange = tree.UnknownGestures(
            classes=tuple(unknown),
            rejected=spread(lambda one: one.strange and one.strange.rejected),
            auroc={
                by: spread(lambda one, by=by: one.strange and one.strange.auroc[by])
                for by in sorted(next(one.strange for one in everybody if one.strange).auroc)
            },
        )
    return tree.Decisions(
        # In one order, however the store kept them.
        coverage={
            at: spread(lambda one, at=at: one.coverage[at])
            for at in sorted(first.coverage, key=int, reverse=True)
        },
        answered=spread(lambda one: one.answered),
        answered_right=spread(lambda one: one.answered_right),
        unknown=strange,
        events=events,
    )
