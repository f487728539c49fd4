"""Every way to answer with the same models, on one part: who answers, how well, at what cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kd_edge.base.composition import ALL, averaged, first_sure, picked
from kd_edge.base.product import Product
from kd_edge.pipeline.selection.said import Said

AVERAGE, LARGEST_MARGIN, PRODUCT, ORACLE_PICK = "average", "largest margin", "product", "oracle"


@dataclass(frozen=True)
class ModelCost:
    """What one model takes.

    Attributes:
        file_bytes: of its `.tflite`. macs: an input; None: not known.
        instructions: the same on each core that is looked at.
    """

    file_bytes: int
    macs: int | None
    instructions: tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class Chosen:
    """One way to answer each example of a part.

    Attributes:
        who: (n,) place of the model that answers, or `ALL`.
        scores: (n, ..., classes) of any unit, whose largest decides.
        ran: (members, n) whether a member ran for an example; None where no rule could do it.
    """

    name: str
    kind: str
    who: np.ndarray
    scores: np.ndarray
    ran: np.ndarray | None


def every_way(product: Product, name: str, said: Said, selector: Said | None) -> Iterator[Chosen]:
    """Each model, all together, the product and the oracle, in this order.

    Args:
        name: of the product. said: of the models that may answer. selector: of the one that picks.
    """
    models = product.composition.models
    n_members, n = len(product.members), len(said.examples)

    def only(place: int) -> np.ndarray:
        return np.repeat(np.arange(n_members)[:, None] == place, n, axis=1)

    def answered(kind: str, title: str, who: np.ndarray, ran: np.ndarray | None) -> Chosen:
        return Chosen(title, kind, who, said.real[who, np.arange(n)], ran)

    every = np.repeat(np.arange(n_members)[:, None] < len(models), n, axis=1)
    for place, model in enumerate(models):
        yield answered("model", model, np.full(n, place), only(place))
    mean = product.composition.rule == "average"
    if not mean:
        yield Chosen(AVERAGE, AVERAGE, np.full(n, ALL), said.real.mean(axis=0), every)
    units = np.array([member.outputs[0].scale for member in product.members[: len(models)]])
    surest = (said.steps * units[:, None]).argmax(axis=0)
    yield answered(LARGEST_MARGIN, LARGEST_MARGIN, surest, every)
    if mean:
        scores = averaged(said.scores, product.common)
        yield Chosen(name, PRODUCT, np.full(n, ALL), scores, every)
    else:
        who, ran = _of_rule(product, said, selector)
        yield answered(PRODUCT, name, who, ran)
    yield answered(ORACLE_PICK, ORACLE_PICK, said.right.argmax(axis=0), None)


def _of_rule(product: Product, said: Said, selector: Said | None) -> tuple[np.ndarray, np.ndarray]:
    """Who answers by a cascade or a selector, and which members ran."""
    composition = product.composition
    places = np.arange(len(product.members))[:, None]
    if composition.rule == "cascade":
        who = first_sure(said.steps, np.array(composition.least_margins))
        return who, places <= who
    who = np.array([picked(scores, composition.threshold) for scores in selector.scores[0]])
    return who, (places == who) | (places == len(composition.models))


def expected(ran: np.ndarray | None, each: Sequence[int | None]) -> float | None:
    """What the members that ran take, expected an input; None where it is not known.

    Args:
        ran: (members, n) bool. each: of every member.
    """
    if ran is None or None in each:
        return None
    return float((ran * np.array(each, np.float64)[:, None]).sum(axis=0).mean())
