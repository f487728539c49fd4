"""Everything that an image is made of: engine, front end, link, sensors and their settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from pathlib import Path

from firmware_export import c_text
from firmware_export.aot.engine import engine_files
from firmware_export.aot.export import compiled_sources
from firmware_export.boards.board import Board
from firmware_export.boards.kinds import UARTS
from firmware_export.boards.toolchain import FirmwareImage, build_image
from firmware_export.constants import Ports, PortTensor, product_ports
from firmware_export.engines import ENGINES, PLAIN_C
from firmware_export.front_end import model_front_end
from firmware_export.hello import HelloFacts, hello_bytes, link_limit
from firmware_export.keeping import kept_hop
from firmware_export.render import Files, Renderer, renderer
from firmware_export.room import check_room
from firmware_export.sensors import StreamSettings, replay_values, stream_plans
from firmware_export.settings import FirmwareSettings, with_margin
from firmware_export.tflm import render_files
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import Counts, FrontEndConstants, lsb_of
from kd_edge.base.pixel_values import PIXEL_VALUES, pixel_table
from kd_edge.base.product import Product, as_product
from kd_edge.base.protocol import DEFAULT_PAYLOAD, DEFAULT_SCORES

RUNTIME = Path(__file__).parent / "runtime"
# Bytes that wait for the firmware: some frames of the largest size, so that the host can have the
# next window under way while one is computed.
RECEIVE_BYTES = 4096
_LEAST_SCORES = 64
# Results of the text commands have 32 bits before the point: 255 steps of this size.
_MOST_SCALE = 1.6e7
_UART_OVERSAMPLING = 16
_SENSORS = {"replay": "kd_sensor_replay.c", "stub": "kd_sensor_stub.c"}
_HEAD = frozenset({"kd_head.c", "kd_head.h"})
_NORMALISER = frozenset({"kd_normaliser.c", "kd_normaliser.h"})
_KEEP = frozenset({"kd_keep.h", "kd_keep_stub.c"})


@dataclass(frozen=True)
class Firmware:
    """Sources of an image without the board's own layer.

    Attributes:
        files: name -> text; every `.c` (and `.cc`) is to be compiled.
        defines: macro -> value, for all of them and the board's layer alike.
        model_sha256: of the product: the `.tflite`'s, or that of several models and their rule.
        raw_bytes: of a raw window; 0 where the board takes int8 windows only.
        front_end: the part that the board runs, or None.
    """

    files: Mapping[str, str]
    defines: Mapping[str, str | int]
    model_sha256: str
    raw_bytes: int
    front_end: FrontEndConstants | None


def firmware_sources(
    source: Path | Product,
    board: Board,
    settings: FirmwareSettings,
    *,
    engine: str = PLAIN_C.name,
    stream: StreamSettings | None = None,
    replay: Sequence[Counts] = (),
    profile: bool = True,
) -> Firmware:
    """The sources of a product's firmware for a board.

    Args:
        source: an int8 `.tflite`, or a product of one or several.
        settings: with the front end that the board is to run, or how pixels become inputs, or
            neither for int8 windows alone; and
            golden vectors or None. The arena's figures matter to TFLite Micro only.
        engine: a key of `ENGINES`.
        stream: how the board streams its sensors, or None for none.
        replay: raw windows, each stream (samples, channels) int16, that emulated sensors play; ()
            leaves a stub for the user's own sensors.
        profile: time every layer on request ('aot' only).

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_TFLITE, KD_UNSUPPORTED_OP: as `compile_model`, `export_tflm`.
        KdEdgeError KD_COUNTS: a stream's units a count are unknown.
        KdEdgeError KD_BOARD_FULL: what is certain of it already is more than the board holds.
        KdEdgeError KD_LABELS, KD_SHAPE, KD_NOT_CAUSAL, KD_PRECISION: as `export_tflm`.
        KdEdgeError KD_LINK_LIMIT: the model or its sensors are more than the link can tell.
        KdEdgeError KD_UNKNOWN_NAME: no such engine. KD_USAGE: a stream without a front end; a last
            layer that can be replaced in another engine than 'aot', or of several models.
    """
    product = as_product(source)
    _check(settings, engine, stream, product)
    ports = product_ports(product)
    front_end = _front_end(settings, product)
    hop = kept_hop(front_end, stream, product, engine=engine)
    built = _engine_files(product, board, settings, engine, hop)
    layers = built.layers if profile else 0
    facts = _facts(board, engine, product, settings, layers, front_end)
    _check_room(board, built, facts.raw_bytes or facts.int8_bytes)
    render = renderer(settings, product, engine=engine)
    files = built.files | _config_files(render, settings, ports, facts, stream)
    files |= _runtime_files(stream, replay, facts, personal=settings.personal)
    files |= _replay_files(render, front_end, stream, replay)
    return Firmware(
        files=dict(sorted(files.items())),
        defines=_defines(facts, ports) | ({"KD_LINK_HEAD": 1} if settings.personal else {}),
        model_sha256=product.sha256,
        raw_bytes=facts.raw_bytes,
        front_end=front_end,
    )


def _facts(
    board: Board,
    engine: str,
    product: Product,
    settings: FirmwareSettings,
    layers: int,
    front_end: FrontEndConstants | None,
) -> HelloFacts:
    return HelloFacts(
        board=board,
        engine=engine,
        product=product,
        max_baud=_max_baud(board),
        golden_count=_golden_count(settings),
        layer_count=layers,
        front_end=front_end,
        decides=settings.decision is not None,
        takes_pixels=settings.pixels is not None,
    )


def _front_end(settings: FirmwareSettings, product: Product) -> FrontEndConstants | None:
    """The part of the front end that the board runs; every sensor's units a count are known."""
    if settings.front_end is None:
        return None
    front_end = model_front_end(settings.front_end, product.inputs)
    for each in front_end.streams:
        lsb_of(each)
    return front_end


@dataclass(frozen=True)
class _Engine:
    """Sources that compute the product, how many layers they can time, and what is certain of
    their size."""

    files: Files
    layers: int
    constant_bytes: int
    arena_bytes: int


def _engine_files(
    product: Product, board: Board, settings: FirmwareSettings, engine: str, hop: Fraction | None
) -> _Engine:
    if engine == PLAIN_C.name:
        compiled, beside = engine_files(product, board.core, settings, hop=hop)
        return _Engine(
            {**compiled_sources(compiled), **beside},
            sum(len(each.layers) for each in compiled),
            sum(each.constant_bytes for each in compiled),
            sum(each.schedule.plan.arena_bytes for each in compiled),
        )
    files = render_files(product, settings)
    del files["README.md"]
    models = sum(member.path.stat().st_size for member in product.members)
    return _Engine(files, 0, models, with_margin(settings.arena_bytes))


def _check_room(board: Board, engine: _Engine, window_bytes: int) -> None:
    ram = {
        "arena": engine.arena_bytes,
        "a window": window_bytes,
        "the link": RECEIVE_BYTES + 2 * DEFAULT_PAYLOAD,
        "stack": board.stack_bytes,
    }
    check_room(board, flash={"constants": engine.constant_bytes}, ram=ram)


def _defines(facts: HelloFacts, ports: Ports) -> dict[str, str | int]:
    """Macros that the link and the model are compiled with."""
    output_bytes = sum(prod(spec.shape) for spec in facts.outputs)
    defines: dict[str, str | int] = {
        "KD_BOARD_RECEIVE_BYTES": f"{RECEIVE_BYTES}u",
        "KD_LINK_SCORES_BYTES": f"{_scores_bytes(output_bytes)}u",
    }
    if len(facts.outputs) > 1:
        defines["KD_LINK_BESIDE_BYTES"] = f"{output_bytes - ports.output.size}u"
    if facts.front_end and facts.front_end.learns:
        defines["KD_LINK_NORMALISER"] = 1
    if facts.layer_count:
        defines["KD_MODEL_PROFILE"] = 1
    return defines


def build_firmware(
    firmware: Firmware,
    board: Board,
    out: Path,
    *,
    optimize: str = "-O2",
) -> FirmwareImage:
    """Compile and link the firmware for an emulated board. Raises as `build_image`."""
    return build_image(
        board,
        firmware.files,
        out=out,
        defines=firmware.defines,
        optimize=optimize,
    )


def _replay_files(
    render: Renderer,
    front_end: FrontEndConstants | None,
    stream: StreamSettings | None,
    replay: Sequence[Counts],
) -> Files:
    """What emulated sensors play, if they play anything."""
    if stream is None or not replay:
        return {}
    values = replay_values(front_end, replay, stream)
    return {name: render(name, replay=values) for name in ("kd_replay.h", "kd_replay.c")}


def _check(
    settings: FirmwareSettings, engine: str, stream: StreamSettings | None, product: Product
) -> None:
    ENGINES.find(engine)
    if settings.personal:
        _check_personal(product, engine)
    if stream is not None and settings.front_end is None:
        raise KdEdgeError(
            "KD_USAGE",
            "a board that streams needs a front end",
            hint="leave the stream out, or give the front end that the model was built with",
        )


def _check_personal(product: Product, engine: str) -> None:
    if engine != PLAIN_C.name:
        raise KdEdgeError(
            "KD_USAGE",
            f"with the engine '{engine}' the last layer stands in the model's own bytes, where it "
            "cannot be replaced",
            hint=f"take the engine '{PLAIN_C.name}', or build new firmware for each wearer",
        )
    if product.composition is not None:
        raise KdEdgeError(
            "KD_USAGE",
            "the product answers by several models; a wearer's last layer is for one",
            hint="build a bundle whose product is one student",
        )


def _golden_count(settings: FirmwareSettings) -> int:
    return min(settings.golden_count, len(settings.golden.labels)) if settings.golden else 0


def _max_baud(board: Board) -> int:
    """The fastest that the board's UART can go; 0 where there is nothing to change."""
    if board.uart is not None and UARTS[board.uart.kind].any_baud:
        return (board.uart.hz or board.clock_hz) // _UART_OVERSAMPLING
    return 0


def _config_files(
    render: Renderer,
    settings: FirmwareSettings,
    ports: Ports,
    facts: HelloFacts,
    stream: StreamSettings | None,
) -> Files:
    hello = hello_bytes(facts)
    plans = stream_plans(facts.front_end, stream) if stream is not None else ()
    values = {
        "has_golden": settings.golden is not None,
        "has_front_end": facts.front_end is not None,
        "pixel_values": PIXEL_VALUES,
        "pixel_tables": _pixel_tables(settings, facts.product),
        "decides": facts.decides,
        "layer_count": facts.layer_count,
        "max_baud": facts.max_baud,
        "int8_bytes": facts.int8_bytes,
        "raw_bytes": facts.raw_bytes,
        "text_name": c_text.string(_ascii(facts.board.name)),
        "text_model": c_text.string(_ascii(settings.name)),
        "score_nano": _score_nano(ports.output),
        "score_zero": ports.output.zero_point,
        "hello_bytes": len(hello),
        "hello_rows": c_text.byte_lines(hello),
        "plans": plans,
        "sensor_values": max((16 * plan.channels for plan in plans), default=0),
    }
    names = ("kd_firmware_config.h", "kd_firmware_config.c")
    return {name: render(name, **values) for name in names}


def _pixel_tables(settings: FirmwareSettings, product: Product) -> list[str]:
    """Rows of C of each input: what the pixels 0 to 255 become in it."""
    if settings.pixels is None:
        return []
    return [c_text.int8_rows(pixel_table(settings.pixels, spec)) for spec in product.inputs]


def _scores_bytes(output_bytes: int) -> int:
    """Of one answer: larger outputs go in several, so that the answers kept stay small."""
    return min(max(output_bytes, _LEAST_SCORES), DEFAULT_SCORES)


def _score_nano(output: PortTensor) -> int:
    scale = float(output.scale.removesuffix("f"))
    if scale > _MOST_SCALE:
        raise link_limit(f"a step of the output is {scale:g}", f"{_MOST_SCALE:g} at most")
    return round(scale * 1e9)


def _ascii(text: str) -> str:
    """Printable ASCII without what the text commands use as marks."""
    return "".join(c if " " <= c <= "~" and c not in "[]%" else "?" for c in text)


def _runtime_files(
    stream: StreamSettings | None,
    replay: Sequence[Counts],
    facts: HelloFacts,
    *,
    personal: bool,
) -> Files:
    """Link and main program, with the parts that this image uses."""
    left_out = set(_SENSORS.values()) | (set() if personal else _HEAD)
    if not facts.decides:
        left_out |= {"kd_decide.c", "kd_decide.h"}
    learns = facts.front_end is not None and facts.front_end.learns
    left_out |= (set() if learns else _NORMALISER) | (set() if learns or personal else _KEEP)
    if stream is None:
        left_out |= {"kd_stream.c", "kd_stream.h", "kd_ring.c", "kd_ring.h", "kd_sensor.h"}
    else:
        left_out.remove(_SENSORS["replay" if replay else "stub"])
    paths = [*(RUNTIME / "link").glob("*.[ch]"), *(RUNTIME / "firmware").glob("*.[ch]")]
    return {p.name: p.read_text(encoding="utf-8") for p in paths if p.name not in left_out}
