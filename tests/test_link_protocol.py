"""The one statement of the link, and everything that is made from it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export import link_header, wire
from firmware_export.protocol import ANSWERS, BY_NAME, MESSAGES, SCALARS, STATUSES, Field

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
    with pytest.raises(wire.WireError, match="too many"):
        wire.decode("HELLO", bytes(5))


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
