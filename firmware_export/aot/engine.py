"""The plain-C engine behind the same functions as TFLite Micro's: a folder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from firmware_export.aot.compiler import Compiled, CompileSettings, compile_model
from firmware_export.aot.cores import find_core
from firmware_export.aot.export import (
    Exported,
    build_composed_files,
    build_files,
    write_export,
)
from firmware_export.composed import answering, composed_run_files, prefixes
from firmware_export.constants import Ports, product_ports, read_labels, settings_files
from firmware_export.decision import decision_files
from firmware_export.engines import PLAIN_C
from firmware_export.front_end import front_end_files
from firmware_export.golden import golden_files
from firmware_export.render import Files, Renderer, renderer
from firmware_export.settings import FirmwareSettings
from kd_edge.base.product import Product, as_product


def engine_files(
    source: Path | Product, core: str, settings: FirmwareSettings, *, hop: Fraction | None = None
) -> tuple[tuple[Compiled, ...], Files]:
    """The compiled models, and `kd_run`, settings, quantiser, front end and golden vectors beside.

    Args:
        hop: as in `CompileSettings`, of a product of one model.

    Raises as `compile_model` and `export_tflm`.
    """
    product = as_product(source)
    compiled = compile_product(
        product, core, generator=settings.generator, head=settings.personal, hop=hop
    )
    ports = product_ports(product)
    render = renderer(settings, product, engine=PLAIN_C.name)
    files = {
        **_run_files(render, product, compiled, ports),
        **settings_files(
            render, settings, ports, read_labels(settings, ports), models=answering(product)
        ),
    }
    if settings.front_end is not None:
        vectors = find_core(core).vector is not None
        files |= front_end_files(render, settings.front_end, product.inputs, vectors=vectors)
    if settings.decision is not None:
        files |= decision_files(render, settings.decision, ports)
    if settings.golden is not None:
        files |= golden_files(render, settings.golden, ports, limit=settings.golden_count)
    return compiled, files


def compile_product(
    product: Product,
    core: str,
    *,
    generator: str,
    head: bool = False,
    hop: Fraction | None = None,
) -> tuple[Compiled, ...]:
    """Each model of a product as plain C, as an image holds them. Raises as `compile_model`.

    Args:
        head, hop: as in `CompileSettings`.
    """
    compiled: list[Compiled] = []
    for member, prefix in zip(product.members, prefixes(product), strict=True):
        compiled.append(
            compile_model(
                member.path,
                # `kd_run` resets the state itself, and lets those who ask keep it.
                CompileSettings(
                    core=core,
                    carry_state=hop is None,
                    hop=hop,
                    generator=generator,
                    prefix=prefix,
                    first_layer=sum(len(each.layers) for each in compiled),
                    label=f"{member.name}: " if product.composition else "",
                    head=head,
                ),
            )
        )
    return tuple(compiled)


def _run_files(
    render: Renderer, product: Product, compiled: Sequence[Compiled], ports: Ports
) -> Files:
    if product.composition is None:
        hop = compiled[0].settings.hop
        source = render("kd_run.c", inputs=ports.inputs, hop=hop)
        return {"kd_run.h": render("kd_run.h", models=(), hop=hop), "kd_run.c": source}
    layers = sum(len(each.layers) for each in compiled)
    return composed_run_files(render, product, "kd_run_composed.c", "kd_run.c", layers=layers)


def export_engine(
    source: Path | Product, out: Path, core: str, settings: FirmwareSettings
) -> tuple[tuple[Compiled, ...], Exported]:
    """Write the engine's folder: everything that `kd_run.h` promises, for one core.

    Raises as `engine_files` and `write_export`.
    """
    product = as_product(source)
    compiled, beside = engine_files(product, core, settings)
    optimize = compiled[0].core.optimize
    more = {"optimize": optimize, "beside": beside, "title": settings.name}
    if product.composition is None:
        files = build_files(compiled[0], **more)
    else:
        files = build_composed_files(product, compiled, **more)
    return compiled, write_export(out, compiled, files, optimize=optimize)
