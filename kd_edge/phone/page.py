"""The page: recogniser, golden vectors and windows in one HTML file that needs no network."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_export.phone.wasm import WasmModule
from firmware_export.settings import Golden
from kd_edge.base import protocol, wire
from kd_edge.base.decision import DecisionRule
from kd_edge.base.front_end import Counts, FrontEndConstants, raw_samples
from kd_edge.base.raw_window import pack_raw
from kd_edge.base.tensors import TensorSpec
from kd_edge.phone.motion import motion_of
from kd_edge.report.html import content_policy, page_template

_POLICY = "@POLICY@"
# Pages that browsers allow WebAssembly: its code is data of the page, and no script.
_WASM = "'wasm-unsafe-eval'"
_MESSAGES = ("HELLO", "HELLO_ANSWER", "STREAM", "STOP", "SAMPLES", "ERROR")


@dataclass(frozen=True, eq=False)
class PageFacts:
    """What the page is told.

    Attributes:
        classes: of the scores, in order.
        output: the product's scores. temperature: that they are divided by before a softmax.
        front_end: that the modules run, with each stream's units a count; None: they take int8
            windows alone.
        hop_s: from window to window.
        golden: vectors that the modules must answer bit for bit.
        raw: counts of the golden windows, in their order; () if they are unknown.
    """

    title: str
    generator: str
    model_sha256: str
    synthetic: bool
    classes: tuple[str, ...]
    output: TensorSpec
    temperature: float
    front_end: FrontEndConstants | None
    hop_s: float
    golden: Golden
    raw: tuple[Counts, ...]
    decision: DecisionRule | None


def render_page(facts: PageFacts, modules: Sequence[WasmModule]) -> str:
    """The page's HTML; the same arguments give the same text.

    Args:
        modules: the fastest first; a browser takes the first that it can run.
    """
    page = page_template("phone.html.j2", "kd_edge.phone").render(
        data=page_data(facts, modules), modules=modules, protocol=_protocol()
    )
    policy = content_policy(page, scripts=(_WASM,))
    # Names in the page come behind it: only the first place is ours.
    return page.replace(_POLICY, policy, 1)


def page_data(facts: PageFacts, modules: Sequence[WasmModule]) -> dict[str, object]:
    """What the page's scripts read: names as they are, bytes in Base64."""
    return {
        "title": facts.title,
        "generator": facts.generator,
        "model_sha256": facts.model_sha256,
        "synthetic": facts.synthetic,
        "classes": list(facts.classes),
        "scale": facts.output.scale,
        "zero_point": facts.output.zero_point,
        "temperature": facts.temperature,
        "hop_s": facts.hop_s,
        "streams": _streams(facts.front_end),
        "motion": motion_of(facts.front_end),
        "golden": _golden(facts.golden),
        "raw": _raw(facts),
        "modules": [{"core": each.core, "code": _base64(each.content)} for each in modules],
    }


def _streams(front_end: FrontEndConstants | None) -> list[dict[str, object]]:
    if front_end is None:
        return []
    samples = raw_samples(front_end)
    return [
        {
            "name": stream.name,
            "unit": stream.unit,
            "rate_hz": stream.source_rate_hz,
            "lsb": stream.lsb,
            "channels": list(stream.channels),
            "samples": samples[stream.name],
        }
        for stream in front_end.streams
    ]


def _golden(golden: Golden) -> dict[str, object]:
    n = len(golden.labels)
    inputs = np.concatenate([values.reshape(n, -1) for values in golden.inputs], axis=1)
    return {
        "n": n,
        "inputs": _base64(inputs.tobytes()),
        "outputs": _base64(golden.outputs.reshape(n, -1).tobytes()),
        "labels": list(golden.labels),
    }


def _raw(facts: PageFacts) -> dict[str, object] | None:
    if facts.front_end is None or not facts.raw:
        return None
    windows = b"".join(pack_raw(counts, facts.front_end) for counts in facts.raw)
    return {"n": len(facts.raw), "windows": _base64(windows)}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _protocol() -> dict[str, object]:
    """What of the link's statement the page's scripts need."""
    places = {
        name: {
            field.name: offset
            for field, offset in zip(
                protocol.BY_NAME[name].fixed, wire.offsets(protocol.BY_NAME[name]), strict=True
            )
        }
        | {"fixed": wire.fixed_bytes(protocol.BY_NAME[name])}
        for name in ("HELLO_ANSWER", "SAMPLES")
    }
    return {
        "version": protocol.VERSION,
        "messages": {name: protocol.BY_NAME[name].number for name in _MESSAGES},
        "hello": places["HELLO_ANSWER"],
        "samples": places["SAMPLES"],
    }
