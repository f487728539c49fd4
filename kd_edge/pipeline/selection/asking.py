"""The composition that a recipe asks for, over the int8 models that were built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from kd_edge.base.composition import Composition
from kd_edge.base.files import sha256_file
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.formats import SHIPPED
from kd_edge.base.product import Member
from kd_edge.examples import Examples
from kd_edge.pipeline.answers import VALIDATION_FILE
from kd_edge.pipeline.bundle import BundledModel
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.selection.cascade import Found, find_margin, least_steps
from kd_edge.pipeline.selection.said import ask, runtime
from kd_edge.pipeline.stages import key_of
from kd_edge.recipe import Product
from kd_edge.tasks import find_task


@dataclass(frozen=True)
class Asked:
    """A composition, and how its margin was found; None where the recipe states it."""

    composition: Composition
    found: Found | None


def ask_for(context: Context, models: Sequence[BundledModel], validation: Examples) -> Asked | None:
    """The recipe's composition, its margins as steps of the built int8 models; None of one model.

    Args:
        models: with their files in the output folder.
        validation: examples of the validation part, with every input.
    """
    asked = context.recipe.product
    if asked is None or asked.rule is None:
        return None
    built = {model.name: model for model in models}
    members = [_member(context, built[name]) for name in asked.models]
    scales = [member.outputs[0].scale for member in members[:-1]]
    margins, found = asked.margins, None
    if asked.max_drop_points is not None:
        found = _find(context, members, built, scales, validation, asked)
        margins = (found.margin,) * len(scales)
    least = tuple(least_steps(*each) for each in zip(margins, scales, strict=False))
    selector = context.recipe.selector
    composition = Composition(
        asked.rule, asked.models, least_margins=least, selector=selector and selector.name
    )
    return Asked(composition, found)


def _member(context: Context, model: BundledModel) -> Member:
    path = context.out / model.format(SHIPPED).file
    return Member(model.name, path, read_tflite(path))


def _find(
    context: Context,
    members: Sequence[Member],
    built: dict[str, BundledModel],
    scales: Sequence[float],
    validation: Examples,
    asked: Product,
) -> Found:
    key = key_of(
        [member.model.sha256 for member in members],
        sha256_file(context.out / VALIDATION_FILE),
        [context.recipe.task, runtime(), asked.max_drop_points],
    )

    def make() -> dict:
        inputs = {name: built[name].inputs for name in asked.models}
        said = ask(members, inputs, validation, find_task(context.recipe.task))
        return asdict(find_margin(said, scales, asked.max_drop_points / 100))

    return Found(**context.stages.run("margin of the cascade", key, [], make))
