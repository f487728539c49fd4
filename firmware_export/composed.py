"""Several models behind one `kd_run`: their prefixes, and the code that runs the rule."""

from __future__ import annotations

from math import prod
from pathlib import Path

from firmware_export import c_text
from firmware_export.render import Files, Renderer
from kd_edge.base.product import Product

RULES = Path(__file__).parent / "runtime" / "rules"
# With `kd_model_` before and a number behind, a C name of 32 characters.
_MOST_LETTERS = 20


def prefixes(product: Product) -> tuple[str, ...]:
    """What stands before the files and functions of each model."""
    if product.composition is None:
        return ("kd_model",)
    names = c_text.identifiers(member.name[:_MOST_LETTERS] for member in product.members)
    return tuple(f"kd_model_{name.lower()}" for name in names)


def answering(product: Product) -> tuple[str, ...]:
    """The models that `kd_answered` tells apart, as C literals; () of one model."""
    if product.composition is None:
        return ()
    return tuple(c_text.string(name) for name in product.composition.models)


def composed_run_files(
    render: Renderer, product: Product, template: str, name: str, **more: object
) -> Files:
    """`kd_run.h`, the file `name` that runs the rule, and the rule's arithmetic.

    Args:
        template: of that file. more: what it needs beside.
    """
    composition, common = product.composition, product.common
    shape = product.outputs[0].shape
    values = {
        "composition": composition,
        "least_margins": ", ".join(map(str, composition.least_margins)),
        "classes": shape[-1],
        "zero_point": common.zero_point,
        "scales": [
            f"{{ {zero_point}, {factor} }}"
            for zero_point, factor in zip(common.zero_points, common.factors, strict=True)
        ],
        "members": _members(product),
        "homes": _homes(product),
        "picker_scores": prod(product.members[-1].outputs[0].shape),
        **more,
    }
    files = {
        "kd_run.h": render("kd_run.h", models=answering(product), hop=None),
        name: render(template, **values),
    }
    return files | {
        path.name: path.read_text(encoding="utf-8") for path in RULES.glob("kd_rule.[ch]")
    }


def _members(product: Product) -> list[dict[str, object]]:
    return [
        {
            "comment": c_text.comment(member.name),
            "prefix": prefix,
            "inputs": [prod(spec.shape) for spec in member.inputs],
            "output": prod(member.outputs[0].shape),
        }
        for member, prefix in zip(product.members, prefixes(product), strict=True)
    ]


def _homes(product: Product) -> list[dict[str, object]]:
    """Each input of the product: the member that holds it, and those that get it from there."""
    takers: list[list[tuple[int, int]]] = [[] for _ in product.inputs]
    for member, feeds in enumerate(product.feeds):
        for place, index in enumerate(feeds):
            takers[index].append((member, place))
    return [
        {"member": own[0][0], "place": own[0][1], "others": own[1:], "size": prod(spec.shape)}
        for own, spec in zip(takers, product.inputs, strict=True)
    ]
