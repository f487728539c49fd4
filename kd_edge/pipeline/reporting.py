"""Putting the report together and writing it."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from kd_edge.base.files import write_text
from kd_edge.base.front_end import FrontEndConstants
from kd_edge.base.version import __version__
from kd_edge.examples import Examples
from kd_edge.measure.host import host
from kd_edge.models import WEIGHTS, model_options
from kd_edge.pipeline.bundle import REPORT_FILE
from kd_edge.recipe import Recipe
from kd_edge.report.html import render_html
from kd_edge.report.json import to_json
from kd_edge.report.tree import Provenance, Report, SampleWindow
from kd_edge.runtimes.registry import RUNTIMES

HTML_FILE = "report.html"
_PACKAGES = ("numpy", "scipy", "keras", "tensorflow", "scikit-learn")


def versions() -> dict[str, str]:
    """Versions of kd-edge and of what its figures depend on; what is not installed is absent."""
    found = {"kd-edge": __version__, "python": platform.python_version()}
    runtimes = (runtime.distribution for runtime in RUNTIMES.values() if runtime.distribution)
    for name in (*_PACKAGES, *runtimes):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def what_is_reproducible(seed: int, same_on_any_cores: bool) -> Iterator[str]:
    """What another run of the same recipe gives, for the reader of one run's figures."""
    yield (
        f"These are the figures of one training, with seed {seed}. Another seed gives others: "
        "`kd-edge build RECIPE --seeds 3` gives their mean and spread."
    )
    if same_on_any_cores:
        yield (
            "On this machine, with these versions, the same recipe and seed give the same models, "
            "byte for byte, whatever its load and its free cores. Another processor or version "
            "rounds otherwise, and training turns that into other models and figures. Times vary "
            "from run to run."
        )
    else:
        yield (
            "TensorFlow had started in this process before the build could fix its threads, or "
            "Keras runs on another backend: the same recipe and seed may give other models, even "
            "on this machine. `kd-edge build` in a process of its own does not have this fault."
        )


def first_weights(recipe: Recipe) -> Iterator[str]:
    """What models that may begin with another's weights began with."""
    named = [(f"'{model.name}'", model) for model in recipe.to_train]
    if recipe.selector is not None:
        named.append(("The selector", recipe.selector))
    for name, model in named:
        weights = {**model_options(model.model), **model.options}.get("weights")
        if weights is not None:
            yield f"{name} ({model.model}) began with {WEIGHTS[weights]}."
    for student in recipe.students:
        if student.layers_from is not None:
            yield (
                f"'{student.name}' then took the weights of its teacher '{student.layers_from}', "
                "in every layer of the same name and sizes."
            )


def provenance(command: str, recipe_sha256: str) -> Provenance:
    """What made the figures, now."""
    return Provenance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        versions=versions(),
        host=host(),
        recipe_sha256=recipe_sha256,
    )


def sample_windows(
    windows: Examples, front_end: FrontEndConstants | None, *, count: int = 3
) -> tuple[SampleWindow, ...]:
    """The first window of each of a few classes, for the eye; images have none."""
    if front_end is None:
        return ()
    streams = {stream.name: stream for stream in front_end.streams}
    samples = []
    firsts = {int(label): index for index, label in reversed(list(enumerate(windows.truth)))}
    for label, index in sorted(firsts.items())[:count]:
        for layout in front_end.inputs:
            values = windows.inputs[layout.name][index]
            flat = values.reshape(-1, values.shape[-1])
            samples.append(
                SampleWindow(
                    label=windows.class_names[label],
                    recording=windows.groups.names[windows.groups.recording[index]],
                    rate_hz=streams[layout.streams[0]].rate_hz,
                    channels=tuple(f for s in layout.streams for f in streams[s].features),
                    values=tuple(tuple(round(float(v), 4) for v in row) for row in flat),
                    input_name=layout.name,
                )
            )
    return tuple(samples)


def write_report(folder: Path, report: Report) -> None:
    """report.json and report.html."""
    write_text(folder / REPORT_FILE, to_json(report) + "\n")
    write_text(folder / HTML_FILE, render_html(report))
