"""The one statement of the link, and everything that is made from it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export import link_header
from kd_edge.base import wire
from kd_edge.base.protocol import ANSWERS, BY_NAME, MESSAGES
from kd_edge.base.protocol_types import SCALARS, Field
from kd_edge.base.statuses import STATUSES

BOUNDS = {
    "u8": (0, 2**8 - 1),
    "u16": (0, 2**16 - 1),
    "u32": (0, 2**32 - 1),
    "u64": (0, 2**64 - 1),
    "i8": (-(2**7), 2**7 - 1),
    "i32": (-(2**31), 2**31 - 1),
}


def values_of(field: Field) -> st.SearchStrategy:
    if field.type in BOUNDS:
        number = st.integers(*BOUNDS[field.type])
        return number if field.count == 1 else st.tuples(*[number] * field.count)
    if field.type in SCALARS:
        return st.floats(width={"f32": 32, "f64": 64}[field.type], allow_nan=False)
    if field.type == "list":
        entries = st.fixed_dictionaries({item.name: values_of(item) for item in field.items})
        one = values_of(field.items[0]) if len(field.items) == 1 else entries
        return st.lists(one, max_size=3)
    if field.type in ("str", "text*"):
        return st.text(max_size=20)
    return st.binary(max_size=30).map(lambda b: b[: len(b) // 2 * 2])


def plain(decoded, fields: tuple[Field, ...]) -> dict:
    """A decoded message as the mapping that `encode` takes."""
    result = {}
    for field in fields:
        value = getattr(decoded, field.name)
        if field.type == "list":
            one = len(field.items) == 1
            value = [entry if one else plain(entry, field.items) for entry in value]
        result[field.name] = value
    return result


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.name)
def test_a_payload_comes_back_as_it_went(message):
    """Oracle: encoding what was decoded gives the same bytes, and numbers are equal."""

    @settings(max_examples=25)
    @given(st.fixed_dictionaries({field.name: values_of(field) for field in message.fields}))
    def check(values):
        payload = wire.encode(message.name, values)
        decoded = plain(wire.decode(message.name, payload), message.fields)
        assert wire.encode(message.name, decoded) == payload
        assert decoded == values

    check()


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.name)
def test_any_bytes_are_decoded_or_refused(message):
    @settings(max_examples=25)
    @given(st.binary(max_size=200))
    def check(payload):
        try:
            decoded = wire.decode(message.name, payload)
        except wire.WireError:
            return
        assert wire.encode(message.name, plain(decoded, message.fields)) == payload

    check()


def test_a_field_that_does_not_fit_is_refused():
    with pytest.raises(wire.WireError, match="session"):
        wire.encode("HELLO", {"session": 2**32})
    with pytest.raises(wire.WireError, match="fields"):
        wire.encode("HELLO", {})
    with pytest.raises(wire.WireError, match="fields"):
        wire.encode("HELLO", {"session": 1, "other": 2})
    with pytest.raises(wire.WireError, match="HELLO has 1 bytes too many"):
        wire.decode("HELLO", bytes(5))


def facts(**changes):
    """A FACTS_BLOCK's values, everything empty."""
    texts = dict.fromkeys(("board", "core", "engine"), "")
    return texts | {name: [] for name in ("inputs", "outputs", "streams")} | changes


STREAM = {"name": "", "channels": 1, "rate": 1.0, "samples": 1}


@pytest.mark.parametrize(
    ("name", "fits", "too_long", "told"),
    [
        ("board", "é" * 32767 + "x", "é" * 32768, "board has 65536 bytes"),
        ("streams", [STREAM] * 255, [STREAM] * 256, "streams has 256 entries"),
    ],
    ids=["a text", "a list"],
)
def test_what_is_longer_than_its_length_can_say_is_refused(name, fits, too_long, told):
    """Oracle: two bytes hold a text's length, one a list's."""
    decoded = wire.decode("FACTS_BLOCK", wire.encode("FACTS_BLOCK", facts(**{name: fits})))
    assert len(getattr(decoded, name)) == len(fits)
    with pytest.raises(wire.WireError, match=told):
        wire.encode("FACTS_BLOCK", facts(**{name: too_long}))


def test_a_payload_that_ends_within_a_field_names_it():
    """Oracle: by hand; each text has two bytes of length and one of its own."""
    payload = wire.encode("FACTS_BLOCK", facts(board="b", core="c", engine="e"))
    cuts = [("streams", 1), ("outputs", 2), ("inputs", 3), ("engine", 4), ("engine", 6)]
    for name, cut in (*cuts, ("core", 7), ("board", 10), ("board", 12)):
        with pytest.raises(wire.WireError, match=f"ends within {name}$"):
            wire.decode("FACTS_BLOCK", payload[:-cut])


def test_a_board_of_one_model_sends_the_bytes_that_it_always_sent():
    """Oracle: bytes by hand; the first of the fields that came later which is left out ends the
    block."""
    one = facts(board="b")
    assert wire.encode("FACTS_BLOCK", one) == b"\1\0b" + bytes(7)
    decoded = wire.decode("FACTS_BLOCK", wire.encode("FACTS_BLOCK", one))
    assert (decoded.rule, decoded.models) == ("", ())
    tensor = {"name": "t", "scale": 1.0, "zero_point": 0, "shape": [1, 2]}
    model = {"name": "m", "model_sha256": bytes(32), "inputs": [tensor], "outputs": [tensor] * 2}
    payload = wire.encode("FACTS_BLOCK", {**one, "rule": "average", "models": [model] * 2})
    assert payload.startswith(wire.encode("FACTS_BLOCK", one))
    decoded = wire.decode("FACTS_BLOCK", payload)
    assert [(m.name, len(m.outputs), m.inputs[0].shape) for m in decoded.models] == [
        ("m", 2, (1, 2))
    ] * 2
    with pytest.raises(wire.WireError, match="has the fields"):
        wire.encode("FACTS_BLOCK", {**one, "filters": "run-on"})
    whole = {**one, "rule": "", "models": [], "filters": "run-on"}
    assert wire.decode("FACTS_BLOCK", wire.encode("FACTS_BLOCK", whole)).filters == "run-on"
    with pytest.raises(wire.WireError, match="ends within"):
        wire.decode("FACTS_BLOCK", payload[:-3])


def test_text_that_is_not_utf_8_and_half_a_value_are_refused_by_field():
    with pytest.raises(wire.WireError, match="text is not UTF-8"):
        wire.decode("ERROR", bytes(5) + b"\xff")
    with pytest.raises(wire.WireError, match="values has half a value"):
        wire.decode("SAMPLES", bytes(13) + b"\1")


def test_a_payload_is_laid_out_as_stated():
    """Oracle: struct, little endian, no padding; two bytes before a text, one before a list."""
    values = {"stamp_us": 1 << 40, "first": 5, "stream": 2, "values": b"\1\2"}
    assert wire.encode("SAMPLES", values) == struct.pack("<QIB", 1 << 40, 5, 2) + b"\1\2"
    assert wire.fixed_bytes(BY_NAME["SAMPLES"]) == 13
    assert wire.offsets(BY_NAME["SAMPLES"]) == (0, 8, 12)
    assert wire.encode("ERROR", {"status": 7, "detail": 1, "text": "é"}) == b"\7\1\0\0\0\xc3\xa9"
    layers = [{"ticks": 9, "name": "a"}, {"ticks": 10, "name": ""}]
    assert wire.encode("PROFILE_ANSWER", {"count": 2, "first": 0, "layers": layers}) == (
        b"\2\0\0\0\2" + struct.pack("<QH", 9, 1) + b"a" + struct.pack("<QH", 10, 0)
    )


def test_numbers_are_given_once_and_answers_match_their_requests():
    assert len({message.number for message in MESSAGES}) == len(MESSAGES)
    assert len({status.number for status in STATUSES}) == len(STATUSES)
    requests = [message for message in MESSAGES if message.sender == "host"]
    assert requests
    for message in requests:
        answer = BY_NAME[f"{message.name}_ANSWER"]
        assert (answer.number, answer.sender) == (message.number | ANSWERS, "board")
        assert message.number < 0x20, "the second byte of a frame must not look like text"


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.name)
def test_fields_of_fixed_size_come_first_and_what_fills_the_rest_comes_last(message):
    order = [field.fixed for field in message.fields]
    assert order == sorted(order, reverse=True)
    assert not any(field.type.endswith("*") for field in message.fields[:-1])


def test_the_committed_c_header_is_the_generated_one():
    assert link_header.HEADER.read_text(encoding="utf-8") == link_header.c_header()


def test_the_committed_document_states_every_message():
    text = link_header.DOCUMENT.read_text(encoding="utf-8")
    assert text == link_header.document(text)
