"""What is known of a board, its sensors and its model before the first sample comes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import RUN_ON, FrontEndConstants, lsb_of, raw_samples
from kd_edge.link.messages import Hello

# What samples are measured in where no bundle says it.
_COUNT = "count"


@dataclass(frozen=True)
class Sensor:
    """One stream of the board.

    Attributes:
        name: as the board names it. channels: one name a value.
        unit: of a sample; rate_hz: samples a second.
        lsb: units a count; None where it is unknown.
        samples: in one window.
        whole: samples are counts; else they are 32-bit floats in `unit`.
        modality, device: of the stream and the sensor that it is; '' where `name` is the modality.
    """

    name: str
    channels: tuple[str, ...]
    unit: str
    lsb: float | None
    rate_hz: float
    samples: int
    whole: bool = True
    modality: str = ""
    device: str = ""

    @property
    def window_s(self) -> float:
        return self.samples / self.rate_hz


@dataclass(frozen=True)
class Facts:
    """A live run's constants.

    Attributes:
        port: how the board is reached.
        ticks_kind: what the board counts for an answer: 'cycles', 'instructions', 'microseconds'.
        classes: names, or numbers where no bundle names them.
        scale, zero_point: of the scores. temperature: that calibrates them; 1 where it is unknown.
        decides: the board says what its windows lead to.
        title: the bundle's; None without one.
        host: the runtime that answers every window too; None: nothing to compare with.
        here: the model answers on this machine, whose clock stamps the samples too.
        synthetic: the model was made from a generator's signals, which an emulated board replays.
        recording: the file that the samples go into; None: they are not kept.
    """

    board: str
    core: str
    engine: str
    firmware: str
    port: str
    clock_hz: int
    ticks_kind: str
    model_sha256: str
    sensors: tuple[Sensor, ...]
    classes: tuple[str, ...]
    scale: float
    zero_point: int
    temperature: float = 1.0
    decides: bool = False
    title: str | None = None
    host: str | None = None
    here: bool = False
    synthetic: bool = False
    recording: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def facts_of(
    hello: Hello,
    port: str,
    *,
    classes: tuple[str, ...] | None = None,
    front_end: FrontEndConstants | None = None,
    temperature: float = 1.0,
    title: str | None = None,
    host: str | None = None,
    synthetic: bool = False,
) -> Facts:
    """What a board says of itself, with the names and units that a bundle has for it.

    Args:
        classes: the model's; None: numbers.
        front_end: as `firmware_export.front_end.model_front_end` leaves it; None: counts.

    Raises:
        KdEdgeError KD_BOARD_REFUSED: the board has no sensors.
        KdEdgeError KD_SHAPE: its sensors or classes are not the bundle's.
        KdEdgeError KD_COUNTS: a stream's units a count are unknown.
    """
    if not hello.streams:
        raise KdEdgeError(
            "KD_BOARD_REFUSED",
            f"the firmware on {hello.board} has no sensors, so there is nothing to stream",
            where=port,
            hint="flash firmware with the front end; it needs a causal one, with known counts",
        )
    scores = hello.outputs[0]
    if classes is not None and len(classes) != scores.n_bytes:
        raise KdEdgeError(
            "KD_SHAPE", f"{hello.board} gives {scores.n_bytes} scores for {len(classes)} classes"
        )
    return Facts(
        board=hello.board,
        core=hello.core,
        engine=hello.engine,
        firmware=hello.firmware,
        port=port,
        clock_hz=hello.clock_hz,
        ticks_kind=hello.ticks_kind,
        model_sha256=hello.model_sha256,
        sensors=_counted(hello) if front_end is None else _known(hello, front_end),
        classes=classes or tuple(str(number) for number in range(scores.n_bytes)),
        scale=scores.scale,
        zero_point=scores.zero_point,
        temperature=temperature,
        decides=hello.decides,
        title=title,
        host=host,
        synthetic=synthetic,
    )


def _counted(hello: Hello) -> tuple[Sensor, ...]:
    return tuple(
        Sensor(
            name=stream.name,
            channels=tuple(f"{stream.name} {i}" for i in range(1, stream.channels + 1)),
            unit=_COUNT,
            lsb=1.0,
            rate_hz=stream.rate,
            samples=stream.samples,
        )
        for stream in hello.streams
    )


def _known(hello: Hello, front_end: FrontEndConstants) -> tuple[Sensor, ...]:
    samples = raw_samples(front_end)
    wanted = [(s.name, len(s.channels), samples[s.name]) for s in front_end.streams]
    given = [(s.name, s.channels, s.samples) for s in hello.streams]
    if wanted != given:
        raise KdEdgeError(
            "KD_SHAPE",
            f"the sensors of {hello.board} are not the bundle's",
            where=f"name, channels, samples: on the board {given}, in the bundle {wanted}",
            hint="flash the firmware of this bundle",
        )
    if front_end.runs_on != (hello.filters == RUN_ON):
        raise KdEdgeError(
            "KD_SHAPE",
            f"the filters of {hello.board} {'start anew' if front_end.runs_on else 'run on'} with "
            "each window, and the bundle's do not",
            where="windows.filters of the recipe",
            hint="flash the firmware of this bundle",
        )
    return tuple(
        Sensor(s.name, s.channels, s.unit, lsb_of(s), s.source_rate_hz, samples[s.name])
        for s in front_end.streams
    )
