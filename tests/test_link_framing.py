"""Both ends read the same frames out of the same bytes, whatever the bytes are."""

from __future__ import annotations

import itertools
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from cobs import cobs
from hypothesis import example, given, settings
from hypothesis import strategies as st
from link_harness import MAX_PAYLOAD, SANITIZE, STRICT
from programs import need
from waiting import BOUND_S, ended
from waiting import program as running_program

from firmware_export.link_header import LINK_SOURCES
from kd_edge.base.protocol import VERSION
from kd_edge.link.framing import Drop, Frame, FrameReader, encode_frame, encoded_bytes

# Bytes that matter to the parsers, more often than chance would have them.
TELLING = [b"\0", b"\1", b"%", b"\r\n", b"name", b"\xff", b"a" * 254]
BYTES = st.one_of(
    st.binary(max_size=600),
    st.lists(st.sampled_from(TELLING), max_size=30).map(b"".join),
)
FRAMES = st.builds(
    Frame, st.integers(0, 255), st.integers(0, 65535), st.binary(max_size=MAX_PAYLOAD)
)
# Examples of Cheshire and Baker 1999 and of blocks just below, at and above 254 bytes.
BLOCKS = (b"", b"\0", b"\0\0", b"\x11\x22\0\x33", *(bytes([7]) * n for n in (253, 254, 255, 508)))


class CFrames:
    """tests/link_frames.c as a long-lived process."""

    def __init__(self, process: subprocess.Popen):
        self.process = process

    def ask(self, letter: bytes, content: bytes) -> tuple[str, bytes]:
        self.process.stdin.write(letter + struct.pack("<I", len(content)) + content)
        self.process.stdin.flush()
        return self._item()

    def read(self, content: bytes) -> list[tuple[str, bytes]]:
        items = [self.ask(b"r", content)]
        while items[-1][0] != "e":
            items.append(self._item())
        return items[:-1]

    def _item(self) -> tuple[str, bytes]:
        head = self.process.stdout.read(5)
        assert len(head) == 5, "the C program has ended: a sanitizer's report stands above"
        return chr(head[0]), self.process.stdout.read(struct.unpack("<I", head[1:])[0])


@pytest.fixture(scope="module")
def c_frames(tmp_path_factory):
    need("gcc")
    program = tmp_path_factory.mktemp("frames") / "frames"
    sources = [LINK_SOURCES / name for name in ("kd_cobs.c", "kd_crc32.c", "kd_frame.c")]
    subprocess.run(
        ["gcc", *STRICT, *SANITIZE, f"-DKD_LINK_MAX_PAYLOAD={MAX_PAYLOAD}u", f"-I{LINK_SOURCES}",
         Path(__file__).with_name("link_frames.c"), *sources, "-o", program],
        check=True,
    )  # fmt: skip
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": -1}
    what = "answers of tests/link_frames.c"
    with running_program([program], what, bound_s=10 * BOUND_S, **pipes) as process:
        yield CFrames(process)
        process.stdin.close()
        assert ended(process, "the end of tests/link_frames.c") == 0


@pytest.mark.parametrize("block", BLOCKS, ids=len)
def test_c_encodes_and_decodes_as_the_cobs_package(c_frames, block):
    payload = block[:MAX_PAYLOAD]
    frame = Frame(9, 513, payload)
    assert c_frames.ask(b"w", bytes((9, 1, 2)) + payload) == ("f", encode_frame(frame))
    assert c_frames.ask(b"d", cobs.encode(block)) == ("f", block)


@given(coded=BYTES)
@settings(deadline=None)
def test_c_decodes_what_the_cobs_package_decodes_and_refuses_the_same(c_frames, coded):
    try:
        wanted = ("f", cobs.decode(coded))
    except cobs.DecodeError:
        wanted = ("c", b"")
    if coded:  # nothing between two delimiters is no frame at either end
        assert c_frames.ask(b"d", coded) == wanted


@given(frame=FRAMES)
@example(frame=Frame(1, 0x0101, b"\1" * 28))  # COBS begins it with 37, which is '%'
@settings(deadline=None)
def test_a_frame_is_the_same_from_either_end_and_read_by_either_end(c_frames, frame):
    coded = encode_frame(frame)
    request = bytes((frame.type,)) + struct.pack("<H", frame.sequence) + frame.payload
    assert c_frames.ask(b"w", request) == ("f", coded)
    assert FrameReader().feed(coded) == [frame]
    content = struct.pack("<BBH", VERSION, frame.type, frame.sequence) + frame.payload
    assert c_frames.read(coded) == [("f", content)]


@given(frames=st.lists(FRAMES, max_size=5), noise=st.lists(BYTES, min_size=6, max_size=6))
@example(frames=[Frame(1, 2, b"%")], noise=[b"name%\r\n"] * 6)
@settings(deadline=None)
def test_both_ends_find_the_same_frames_in_the_same_noise(c_frames, frames, noise):
    """Text and damage between frames; a text command ends where '%' is for C alone."""
    coded = map(encode_frame, frames)
    between, after = noise[: len(frames)], noise[len(frames) :]
    stream = b"".join(n + frame for n, frame in zip(between, coded, strict=True)) + b"".join(after)
    reader = FrameReader()
    python = [struct.pack("<BBH", f.version, f.type, f.sequence) + f.payload
              for f in reader.feed(stream)]  # fmt: skip
    c_items = [content for letter, content in c_frames.read(stream) if letter == "f"]
    assert python == c_items
    found = FrameReader().feed(stream)
    assert all(frame in found for frame in frames)


@given(frame=FRAMES, cuts=st.lists(st.integers(0, 500), max_size=6))
def test_a_frame_may_come_in_any_pieces(frame, cuts):
    coded = encode_frame(frame)
    edges = sorted({0, *(min(cut, len(coded)) for cut in cuts), len(coded)})
    reader = FrameReader()
    found = [f for start, end in itertools.pairwise(edges) for f in reader.feed(coded[start:end])]
    assert found == [frame]


@given(frame=FRAMES, place=st.integers(0, 10_000), bit=st.integers(0, 7))
@settings(deadline=None)
def test_one_flipped_bit_never_gives_another_frame(c_frames, frame, place, bit):
    coded = bytearray(encode_frame(frame))
    coded[1 + place % (len(coded) - 2)] ^= 1 << bit
    assert FrameReader().feed(bytes(coded)) == []
    assert not [item for item in c_frames.read(bytes(coded)) if item[0] == "f"]


def test_the_reader_counts_what_it_drops_by_reason():
    reader = FrameReader(longest=100)
    good = encode_frame(Frame(1, 2, b"abc"))
    content = b"\1\2\3\4" + struct.pack("<I", zlib.crc32(b"\1\2\3\4") ^ 1)
    reader.feed(b"\0\x05\x01\x02\0" + b"\0" + cobs.encode(content) + b"\0")
    reader.feed(b"\0\2\1\0" + b"\1" * 500 + b"\0" + good)
    assert reader.drops == {Drop.COBS: 1, Drop.CRC: 1, Drop.LENGTH: 2}
    assert reader.feed(good) == [Frame(1, 2, b"abc")]


def test_text_between_frames_is_kept_apart():
    reader = FrameReader()
    frame = encode_frame(Frame(1, 2, b"abc"))
    assert len(reader.feed(b"m-ready\r\n" + frame + b"m-init-done\r\n" + frame + b"m-re")) == 2
    assert reader.take_text() == "m-ready\r\nm-init-done\r\nm-re"
    assert reader.take_text() == ""
    assert sum(reader.drops.values()) == 0


@pytest.mark.parametrize("byte", range(1, 256))
def test_printable_bytes_and_line_ends_alone_are_text(byte):
    """Oracle: Python's own idea of printable ASCII. Three bytes that are not text are no frame."""
    reader = FrameReader()
    assert reader.drops == dict.fromkeys(Drop, 0)
    assert reader.feed(bytes([byte]) * 3 + b"\0") == []
    is_text = chr(byte).isascii() and (chr(byte).isprintable() or chr(byte) in "\t\r\n")
    assert reader.take_text() == (chr(byte) * 3 if is_text else "")
    assert sum(reader.drops.values()) == (0 if is_text else 1)


@pytest.mark.parametrize("size", range(8))
def test_fewer_bytes_than_a_header_and_a_checksum_are_too_few(size):
    reader = FrameReader()
    reader.feed(cobs.encode(bytes(size)) + b"\0")
    assert reader.drops[Drop.LENGTH] == 1


def test_a_run_as_long_as_allowed_is_read_and_a_longer_one_takes_no_more_memory():
    coded = encode_frame(Frame(1, 2, b"\1" * 50))[1:-1]
    assert FrameReader(longest=len(coded)).feed(coded + b"\0") == [Frame(1, 2, b"\1" * 50)]
    short = FrameReader(longest=len(coded) - 1)
    assert short.feed(coded + b"\0") == []
    assert short.drops[Drop.LENGTH] == 1
    for _ in range(9):
        short.feed(b"\1" * 1000)
    assert len(short._pending) == short.longest


def test_the_latest_text_is_kept():
    reader = FrameReader()
    for number in range(2000):
        reader.feed(f"{number:04}\0".encode())
    assert reader.take_text() == "".join(f"{number:04}" for number in range(2000 - 1024, 2000))


def test_words_are_heard_before_and_after_their_piece_ends():
    reader = FrameReader()
    reader.feed(b"m-ready")
    assert reader.has_heard("m-ready")
    reader.feed(b"\r\n\0name")
    assert reader.has_heard("m-ready")
    assert reader.has_heard("name")
    assert not reader.has_heard("m-init-done")
    reader.take_text()
    assert not reader.has_heard("m-ready")


def test_text_is_taken_from_no_frame_that_is_under_way():
    coded = encode_frame(Frame(1, 2, b"abc"))
    reader = FrameReader()
    reader.feed(coded[:6])
    assert reader.take_text() == ""
    assert reader.feed(coded[6:]) == [Frame(1, 2, b"abc")]
    too_long = FrameReader(longest=5)
    too_long.feed(b"a" * 9)
    assert too_long.take_text() == ""


def test_a_frame_takes_no_more_bytes_than_said_and_nearly_as_many():
    """Oracle: the cobs package, on payloads without a zero, which cost it most."""
    spare = [encoded_bytes(n) - len(encode_frame(Frame(1, 0x0101, b"\1" * n))) for n in range(1100)]
    assert min(spare) == 0
    assert max(spare) <= 1  # one where a block is full at the end
    assert set(spare[:240]) == {0}
