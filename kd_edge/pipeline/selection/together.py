"""A build's or bench's figures of several models together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from kd_edge.base.files import sha256_file
from kd_edge.base.product import Product
from kd_edge.examples import Examples
from kd_edge.pipeline.answers import VALIDATION, VALIDATION_FILE, KerasAnswers
from kd_edge.pipeline.bundle import Manifest
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.kept_windows import PARITY_PART, WINDOWS_FILE
from kd_edge.pipeline.selection.cascade import Found
from kd_edge.pipeline.selection.figures import measure_selection
from kd_edge.pipeline.selection.said import runtime
from kd_edge.pipeline.shipped import shipped
from kd_edge.pipeline.stages import key_of
from kd_edge.report.selection_tree import Selection
from kd_edge.tasks import find_task

_SELECTION = TypeAdapter(Selection)


def select_over(
    context: Context, manifest: Manifest, answers: KerasAnswers, found: Found | None
) -> Selection | None:
    """The figures on the test parts and the validation part; None of one model.

    Args:
        found: how the margin of a cascade was found.
    """
    if manifest.composition is None:
        return None
    product = shipped(context.out, manifest, built=False)
    key = key_of(
        product.sha256,
        [manifest.product, manifest.task, runtime()],
        [sha256_file(context.out / file) for file in (WINDOWS_FILE, VALIDATION_FILE)],
    )
    tests = {n: w for n, w in answers.stored.parts.items() if n != PARITY_PART}

    def make():
        parts = {**tests, VALIDATION: answers.validation.parts[VALIDATION]}
        return _SELECTION.dump_python(_measured(product, manifest, parts), mode="json")

    selection = _SELECTION.validate_python(
        context.stages.run("several models together", key, [], make)
    )
    if found is None:
        return selection
    return replace(selection, margin=found.margin, n_fitted=found.n, fitted_drop=found.drop)


def select_again(
    folder: Path, manifest: Manifest, parts: Mapping[str, Examples], *, built: bool = True
) -> Selection | None:
    """The figures of a bundle on given examples; nothing is fitted.

    Args:
        parts: part -> its examples; the parity windows are left out.
        built: as of `shipped`.
    """
    if manifest.composition is None:
        return None
    tests = {name: part for name, part in parts.items() if name != PARITY_PART}
    return _measured(shipped(folder, manifest, built=built), manifest, tests)


def _measured(product: Product, manifest: Manifest, parts: Mapping[str, Examples]) -> Selection:
    inputs = {model.name: model.inputs for model in manifest.members}
    return measure_selection(product, manifest.product, find_task(manifest.task), inputs, parts)
