"""A cascade over many seeds: what it saves and loses on people who chose nothing.

    python benchmarks/cascade_seeds.py recipes/pjm-cascade.toml --data RECORDINGS --seeds 5 \\
        --work build/cascade --out results/others/pjm-cascade.json

The seeds' students are trained together on JAX, if that is installed, and become int8 files that
TFLite Micro answers for. Each seed's margin is found as `build` finds it, on its validation part.
The JSON is what `seeds.json` holds of several students. It goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from kd_edge.base.composition import Composition
from kd_edge.base.files import sha256_file, write_text
from kd_edge.base.formats import SHIPPED
from kd_edge.base.product import read_product
from kd_edge.convert.process import one_converter
from kd_edge.distill.reproducible import one_order_of_sums
from kd_edge.measure.host import host
from kd_edge.pipeline.context import Context, prepare, with_seed
from kd_edge.pipeline.converting import Converter
from kd_edge.pipeline.fleet import folder_of, train_fleet
from kd_edge.pipeline.seeds import together_of
from kd_edge.pipeline.selection.cascade import find_margin, least_steps
from kd_edge.pipeline.selection.figures import measure_selection
from kd_edge.pipeline.selection.said import ask
from kd_edge.pipeline.training import Trained
from kd_edge.pipeline.trial import Trial
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import load_recipe
from kd_edge.report.selection_tree import Selection
from kd_edge.tasks import find_task


def selection_of(context: Context, trial: Trial) -> Selection:
    """Every way to answer with one seed's int8 students."""
    recipe, data = context.recipe, context.data
    models = [_trained(context, trial, name) for name in recipe.product.models]
    with one_converter():
        files = [Converter(context).convert(model, SHIPPED).file for model in models]
    paths = {m.name: context.out / file for m, file in zip(models, files, strict=True)}
    inputs = {model.name: model.inputs for model in models}
    task = find_task(recipe.task)
    # The margins of this one ask every model; what it says does not depend on them.
    every = read_product(paths, _cascade(recipe, [256] * (len(models) - 1)), windows=inputs)
    scales = [member.outputs[0].scale for member in every.members[:-1]]
    said = ask(every.members, inputs, data.validation, task)
    found = find_margin(said, scales, recipe.product.max_drop_points / 100)
    least = [least_steps(found.margin, scale) for scale in scales]
    product = read_product(paths, _cascade(recipe, least), windows=inputs)
    return measure_selection(product, recipe.product.name, task, inputs, data.tests)


def _cascade(recipe, least: Sequence[int]) -> Composition:
    return Composition("cascade", recipe.product.models, least_margins=tuple(least))


def _trained(context: Context, trial: Trial, name: str) -> Trained:
    (model,) = [each for each in trial.students if each.name == name]
    (settings,) = [each for each in context.recipe.students if each.name == name]
    return Trained(
        name=name,
        role=model.role,
        architecture=model.architecture,
        file=f"{folder_of(trial.seed, context.folds[0])}{name}.keras",
        sha256=sha256_file(model.file),
        inputs=context.recipe.inputs_of(settings),
        parameters=model.parameters,
        curve=None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder for models")
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    recipe = load_recipe(asked.recipe)
    fleet = train_fleet(recipe, seeds=range(asked.seeds), data=asked.data, out=asked.work)
    with one_order_of_sums() as same:
        first = prepare(
            recipe, asked.data, asked.work, command="", cache=True, watch=Watch(),
            same_on_any_cores=same,
        )  # fmt: skip
    selections = [selection_of(with_seed(first, each.seed, None), each) for each in fleet.trials]
    tests = {part.name: part.leaky for part in first.data.fold.tests}
    together = together_of(selections, tests)
    found = {
        "recipe": recipe.name,
        "seeds": [trial.seed for trial in fleet.trials],
        "trained": fleet.road,
        "host": host(),
        "together": asdict(together),
    }
    write_text(asked.out, json.dumps(found, indent=1) + "\n")
    for way in together.ways:
        print(
            f"{way.part}: {way.name} {way.figure.mean:.1f} %, the product gains "
            f"{way.ahead.mean:+.2f} points, {way.cost and round(way.cost)} {together.unit} an input"
        )


if __name__ == "__main__":
    main()
