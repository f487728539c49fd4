"""A board in Python that answers the link, and can be made to say anything."""

from __future__ import annotations

import random
from collections.abc import Callable

from link_harness import hello_payload, hello_values

from kd_edge.base import wire
from kd_edge.base.protocol import ANSWERS, BY_NAME, BY_NUMBER, FORMATS
from kd_edge.base.protocol_types import Field
from kd_edge.link.framing import Frame, FrameReader, encode_frame

MAX_PAYLOAD = 384
SCORES_BYTES = 64
_TICKS = {"ticks": 1000, "front_end_ticks": 5, "microseconds": 7}
# A host that reads so often without writing waits for ever.
_MOST_READS = 20_000


def honest_hello(**changes) -> dict:
    """What the board says of itself: everything that a real one's link fills in too."""
    filled = {"receive_bytes": 4096, "max_payload": MAX_PAYLOAD, "depth": 8}
    return hello_values(**filled, scores_bytes=SCORES_BYTES) | changes


class LyingBoard:
    """A transport with a board behind it.

    Args:
        hello: as `honest_hello`, or the whole payload.
        lie: given a message's name and payload, the payload that is sent instead.
    """

    name = "lying board"
    has_speed = False

    def __init__(
        self,
        hello: dict | bytes | None = None,
        lie: Callable[[str, bytes], bytes] = lambda name, payload: payload,
    ):
        self._hello = hello if isinstance(hello, bytes) else hello_payload(hello or honest_hello())
        self._n_scores = (hello if isinstance(hello, dict) else honest_hello())["output_bytes"]
        self._lie = lie
        self._reader = FrameReader()
        self._waiting = bytearray()
        self._streamed = 0
        self._reads = 0

    def write(self, data: bytes) -> None:
        for frame in self._reader.feed(data):
            request = BY_NUMBER[frame.type].name
            getattr(self, "_on_" + request.lower(), self._on_other)(
                frame, wire.decode(request, frame.payload)
            )

    def read(self, timeout: float) -> bytes:
        self._reads += 1
        assert self._reads < _MOST_READS, "the host never ends"
        data = bytes(self._waiting)
        self._waiting.clear()
        return data

    def set_speed(self, baud: int) -> bool:
        return False

    def close(self) -> None:
        pass

    # --- answers ---

    def _send(self, name: str, sequence: int, payload: bytes) -> None:
        frame = Frame(BY_NAME[name].number, sequence & 0xFFFF, self._lie(name, payload))
        self._waiting += encode_frame(frame)

    def _answer(self, frame: Frame, **values) -> None:
        name = BY_NUMBER[frame.type | ANSWERS].name
        self._send(name, frame.sequence, wire.encode(name, values))

    def _on_hello(self, frame: Frame, asked) -> None:
        payload = asked.session.to_bytes(4, "little") + self._hello[4:]
        self._send("HELLO_ANSWER", frame.sequence, payload[:MAX_PAYLOAD])

    def _on_facts(self, frame: Frame, asked) -> None:
        facts = self._hello[wire.fixed_bytes(BY_NAME["HELLO_ANSWER"]) :]
        part = facts[asked.offset : asked.offset + MAX_PAYLOAD - 4]
        self._answer(frame, offset=asked.offset, facts=part)

    def _on_run(self, frame: Frame, asked) -> None:
        self._answer(frame, **_TICKS, scores=self._scores()[:SCORES_BYTES])

    def _on_scores(self, frame: Frame, asked) -> None:
        part = self._scores()[asked.offset : asked.offset + SCORES_BYTES]
        self._answer(frame, offset=asked.offset, scores=part)

    def _on_selftest(self, frame: Frame, asked) -> None:
        self._answer(frame, count=7, index=asked.index, differing=0, **_TICKS)

    def _on_profile(self, frame: Frame, asked) -> None:
        names = range(asked.first, min(asked.first + 25, 40))
        layers = [{"ticks": 3, "name": f"layer {n}"} for n in names]
        self._answer(frame, count=40, first=asked.first, layers=layers)

    def _on_memory(self, frame: Frame, asked) -> None:
        fields = BY_NAME["MEMORY_ANSWER"].fields
        self._answer(frame, **{field.name: n for n, field in enumerate(fields, start=1)})

    def _on_stream(self, frame: Frame, asked) -> None:
        self._answer(frame)
        self._streamed = 0
        for window in range(3):
            for stream, (n, channels) in enumerate(((40, 3), (15, 2))):
                values = {"stamp_us": window, "first": window * n, "stream": stream}
                self._stream("SAMPLES", **values, values=bytes(2 * n * channels))
            scores, values = self._scores(), {"stamp_us": window, "window": window, **_TICKS}
            ends = [40 * (window + 1), 15 * (window + 1)]
            self._stream("PREDICTION", **values, ends=ends, scores=scores[:SCORES_BYTES])
            for at in range(SCORES_BYTES, len(scores), SCORES_BYTES):
                part = scores[at : at + SCORES_BYTES]
                self._stream("PREDICTION_PART", window=window, offset=at, scores=part)

    def _on_stop(self, frame: Frame, asked) -> None:
        self._answer(frame, frames=self._streamed)

    def _on_speed(self, frame: Frame, asked) -> None:
        self._answer(frame, baud=asked.baud)

    def _on_other(self, frame: Frame, asked) -> None:
        self._answer(frame)

    def _stream(self, name: str, **values) -> None:
        self._send(name, self._streamed, wire.encode(name, values))
        self._streamed += 1

    def _scores(self) -> bytes:
        return bytes(n % 251 for n in range(self._n_scores))


def mutated(payload: bytes, rng: random.Random) -> bytes:
    """Bytes that are flipped, set to an end of their range, cut, doubled or inserted."""
    content = bytearray(payload)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(content) + 1)
        size = rng.choice((1, 2, 4, 8))
        kind = rng.randrange(6)
        if kind == 0 and at < len(content):
            content[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            content[at : at + size] = bytes([rng.choice((0, 255, 127, 128, 1))]) * size
        elif kind == 2:
            del content[at:]
        elif kind == 3:
            content[at:at] = rng.randbytes(size)
        elif kind == 4:
            del content[at : at + size]
        else:
            content += content[at:]
    return bytes(content[:MAX_PAYLOAD])


def extreme(field: Field, rng: random.Random):
    """A value of the field's type that a sound board would hardly say."""
    if field.type in ("f32", "f64"):
        return rng.choice((0.0, -1.0, float("nan"), float("inf"), 1e30, 1e-30))
    if field.type == "list":
        items = FORMATS_OF_ITEMS.get(field.name)
        return [] if items is None or rng.random() < 0.5 else [items] * 200
    if field.type == "str":
        return rng.choice(("", "\x1b[2J", "x" * 300, "[/x]", "\N{SNOWMAN}"))
    bits = 8 * {"u8": 1, "i8": 1, "u16": 2, "u32": 4, "i32": 4, "u64": 8}[field.type]
    low = -(1 << bits - 1) if field.type[0] == "i" else 0
    return rng.choice((low, 0, 1, low + (1 << bits) - 1, rng.randrange(low, low + (1 << bits))))


FORMATS_OF_ITEMS = {
    "streams": {"name": "s", "channels": 1, "rate": 1.0, "samples": 1},
    "inputs": {"name": "t", "scale": 1.0, "zero_point": 0, "shape": [1]},
}


def mutated_hello(rng: random.Random) -> bytes:
    """A HELLO payload with extreme values, with damaged bytes, or both."""
    values = honest_hello()
    fields = (*BY_NAME["HELLO_ANSWER"].fields, *FORMATS["FACTS_BLOCK"].fields)
    for _ in range(rng.choice((0, 1, 1, 2))):
        field = rng.choice([f for f in fields if f.name in values and f.count == 1])
        entries = values[field.name]
        if field.type == "list" and entries and rng.random() < 0.8:
            item = rng.choice(field.items)
            entry = dict(rng.choice(entries))
            if item.type == "list":
                entry[item.name] = rng.choice(([], [0], [2**32 - 1] * 9, [1, 1, 1, 1, 900]))
            else:
                entry[item.name] = extreme(item, rng)
            values[field.name] = [entry, *entries[1:]]
        else:
            values[field.name] = extreme(field, rng)
    payload = hello_payload(values)
    return mutated(payload, rng) if rng.random() < 0.5 else payload
