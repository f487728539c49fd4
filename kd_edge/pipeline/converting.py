"""Conversion stages: every format of every model, by one converter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from pydantic import TypeAdapter

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.formats import FORMATS, SHIPPED
from kd_edge.base.sources import code_digest
from kd_edge.models.fitted import ships
from kd_edge.pipeline.aware import calibration_of
from kd_edge.pipeline.bundle import BundledFormat, BundledModel
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.training import Trained
from kd_edge.recipe import Recipe


def convert_models(
    context: Context, trained: Sequence[Trained]
) -> tuple[tuple[BundledModel, ...], tuple[str, ...]]:
    """Convert every model to its formats.

    Returns:
        the models with their formats, and a sentence for every optional format that was refused.
    """
    from kd_edge.convert.process import one_converter

    converter = Converter(context)
    with one_converter():
        done = [
            (model, fmt, converter.convert(model, fmt))
            for model in trained
            for fmt in _formats(context.recipe, model)
        ]
    models = tuple(
        BundledModel(
            name=model.name,
            role=model.role,
            architecture=model.architecture,
            parameters=model.parameters,
            inputs=model.inputs,
            keras_file=model.file,
            formats=tuple(f for m, _, f in done if m is model and isinstance(f, BundledFormat)),
            aware_of=model.aware_of,
        )
        for model in trained
    )
    refused = tuple(
        f"{model.name} has no {fmt}: {outcome}"
        for model, fmt, outcome in done
        if isinstance(outcome, str)
    )
    return models, refused


def _formats(recipe: Recipe, model: Trained) -> tuple[str, ...]:
    conversion = recipe.conversion
    if model.role == "selector":
        return (SHIPPED,)
    if model.role == "student":
        return conversion.formats
    return conversion.teacher_formats if ships(model.architecture) else ()


class Converter:
    """Converts the models of one fold, each format a stage, beside their Keras files."""

    def __init__(self, context: Context):
        self._context = context
        self._calibration = calibration_of(context.recipe, context.data.training)

    def convert(self, model: Trained, fmt: str) -> BundledFormat | str:
        """One format of one model; the reason as a sentence where an optional one is refused."""
        folder, _, _ = model.file.rpartition(f"{model.name}.keras")
        file = folder + FORMATS[fmt].file(model.name)
        key = key_of(
            code_digest(__name__),  # a refusal is kept without a stage that would add it
            model.sha256,
            file,
            fmt,
            model.inputs,
            self._context.data.key,
            self._context.recipe.conversion.calibration_windows,
            self._context.recipe.seed,
        )
        refusal, stages = f"refusal of {folder}{model.name} as {fmt}", self._context.stages
        if (refused := stages.recall(refusal, key)) is not None:
            return refused
        try:
            value = stages.run(
                f"convert {folder}{model.name} to {fmt}",
                key,
                [file],
                lambda: asdict(self._make(model, fmt, file)),
            )
        except KdEdgeError as error:
            if FORMATS[fmt].optional and error.code == "KD_CONVERTER_REFUSED":
                stages.keep(refusal, key, error.message)
                return error.message
            raise
        return TypeAdapter(BundledFormat).validate_python(value)

    def _make(self, model: Trained, fmt: str, file: str) -> BundledFormat:
        from kd_edge.convert.tflite import to_tflite

        conversion = to_tflite(
            self._context.out / model.file,
            self._context.out / file,
            fmt=fmt,
            input_order=model.inputs,
            calibration={name: self._calibration[name] for name in model.inputs},
        )
        return BundledFormat(fmt, file, conversion.operators, conversion.runtimes, conversion.notes)
