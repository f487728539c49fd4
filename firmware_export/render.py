"""Templates with the facts that every file's banner names."""

from __future__ import annotations

from collections.abc import Callable

from firmware_export import c_text
from firmware_export.engines import TFLITE_MICRO
from firmware_export.settings import FirmwareSettings
from kd_edge.base.flatbuffer import TfliteModel
from kd_edge.base.product import Product
from kd_edge.base.templates import templates

# File name -> text.
Files = dict[str, str]
# render(template name without .j2, **what only this file needs) -> text.
Renderer = Callable[..., str]


def renderer(
    settings: FirmwareSettings, model: TfliteModel | Product, *, engine: str = TFLITE_MICRO.name
) -> Renderer:
    """A function that fills one template; the same arguments give the same text.

    Args:
        engine: a key of `ENGINES`.
    """
    shared = {
        "name": c_text.comment(settings.name),
        "generator": c_text.comment(settings.generator),
        "synthetic": settings.synthetic,
        "engine": engine,
        "sha256": model.sha256,
        "model_bytes": model.n_bytes,
    }
    environment = templates("firmware_export", escape=False, shared=shared)

    def render(name: str, **values: object) -> str:
        return environment.get_template(f"{name}.j2").render(**values).lstrip("\n")

    return render
