"""The decision rule as C: its numbers, and the code that runs them."""

from __future__ import annotations

import numpy as np

from firmware_export import c_text
from firmware_export.composed import RULES
from firmware_export.constants import Ports
from firmware_export.render import Files, Renderer
from kd_edge.base.decision import DecisionRule
from kd_edge.base.errors import KdEdgeError


def decision_files(render: Renderer, rule: DecisionRule, ports: Ports) -> Files:
    """kd_decision_rule.h and .c with a rule and its memory, and the code that they need.

    Args:
        ports: the model's, whose scores the rule takes.

    Raises:
        KdEdgeError KD_SHAPE: the rule is for other scores.
    """
    scores = ports.output
    if rule.classes != scores.size or c_text.float32(rule.scale) != scores.scale:
        raise KdEdgeError(
            "KD_SHAPE",
            f"the decision rule is for {rule.classes} scores of {rule.scale:g} a step, and the "
            f"model gives {scores.size} of {scores.scale.removesuffix('f')}",
            hint="build the bundle again",
        )
    values = {
        "rule": rule,
        "majority": rule.combine == "majority",
        "shares": c_text.rows(map(str, rule.shares)),
        "prototypes": c_text.int8_rows(np.array(rule.prototypes, np.int8)),
    }
    files = {name: render(name, **values) for name in ("kd_decision_rule.h", "kd_decision_rule.c")}
    code = RULES.glob("kd_decision.[ch]")
    return files | {path.name: path.read_text(encoding="utf-8") for path in code}
