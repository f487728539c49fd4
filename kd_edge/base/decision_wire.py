"""A decision as the bytes that boards put behind their scores."""

from __future__ import annotations

from kd_edge.base.decision import NOBODY, ONE, Decision
from kd_edge.base.protocol import FORMATS, MARKS
from kd_edge.base.tensors import TensorSpec
from kd_edge.base.wire import decode, encode, fixed_bytes

_BLOCK = "DECISION_BLOCK"
# The last output of a board that decides.
DECISION = "decision"
DECISION_BYTES = fixed_bytes(FORMATS[_BLOCK])
DECISION_OUTPUT = TensorSpec(DECISION, (1, DECISION_BYTES), "int8", 1.0, 0)


def pack_decision(decision: Decision) -> bytes:
    """The `DECISION_BYTES` that a board sends."""
    marks = MARKS["ONSET"] * decision.onset | MARKS["REJECTED"] * decision.rejected
    return encode(
        _BLOCK,
        {
            "said": decision.said,
            "leading": decision.leading,
            "confidence": decision.confidence,
            "marks": marks,
        },
    )


def unpack_decision(content: bytes, classes: int) -> Decision:
    """What a board of so many classes has sent.

    Raises:
        ValueError: with words for what cannot be.
    """
    block = decode(_BLOCK, content)
    onset, rejected = (bool(block.marks & MARKS[name]) for name in ("ONSET", "REJECTED"))
    for what, wrong in (
        (f"class {block.said} said", block.said >= classes and block.said != NOBODY),
        (f"class {block.leading} leading", block.leading >= classes),
        (f"a confidence of {block.confidence / ONE:g}", block.confidence > ONE),
        (f"marks of {block.marks}", block.marks > sum(MARKS.values())),
        ("an onset of no class", onset and block.said != block.leading),
    ):
        if wrong:
            raise ValueError(what)
    return Decision(block.said, block.leading, block.confidence, onset, rejected)
