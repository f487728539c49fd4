"""The board's end of Bluetooth: kd_ble.c behind the real link, on bumble's controllers and without.

Oracles: the test board's scores, which are a checksum of each window; its bytes by wire.
"""

from __future__ import annotations

import contextlib
import random

import pytest
from link_harness import (
    BLE,
    SANITIZE,
    PipeTransport,
    build_board,
    check_lossy_air,
    expected_scores,
    streamed,
    windows,
)

from kd_edge.link.bluetooth import BluetoothTransport
from kd_edge.link.channel import Patience
from kd_edge.link.device import Device
from kd_edge.link.stream import WindowAssembler

pytest.importorskip("bleak", reason="needs the extra ble")
pytest.importorskip("bumble", reason="needs bumble, Bluetooth controllers without a radio")

from bumble_air import Air, RadioBand, packet, unpacked

PATIENT = Patience(timeout=60.0, retries=100)
PERSISTENT = Patience(timeout=0.4, retries=100)
# So small a queue that every frame fills it.
SMALL = ("-DKD_BLE_SEND_BYTES=256u", "-DSTACK_PIECES=2u")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build_board(tmp_path_factory.mktemp("board"), flags=(*SANITIZE, *SMALL), port=BLE)


@contextlib.contextmanager
def opened(band, *, mtu=23, patience=PATIENT, told=None):
    tell = (lambda _: None) if told is None else told.append
    with contextlib.closing(band):
        transport = BluetoothTransport(
            Air(band, mtu=mtu).radio(band.name), tell=tell, first_wait_s=0.0
        )
        with Device(transport, patience=patience) as device:
            yield device


@pytest.mark.parametrize("mtu", [23, 185, 517])
def test_windows_and_a_stream_come_whole_in_pieces_of_the_mtu(program, mtu):
    band = RadioBand(program=[program])
    with opened(band, mtu=mtu) as device:
        sent = windows(3, seed=1)
        answers = list(device.run_many(sent))
        assert [a.scores.tolist() for a in answers] == [expected_scores(each) for each in sent]
        assert streamed(device, 30) == (30, 0)
        counted = device.statistics
        assert counted.dropped_cobs == counted.dropped_crc == counted.stream_lost == 0
    assert band.largest["from the band"] == min(mtu - 3, 244)
    assert band.refused > 0  # its stack was full, and nothing was lost by that


def test_windows_are_answered_rightly_over_air_that_loses_pieces_and_connections(program):
    """Oracle: the checksum of each window and of those before it."""
    band = RadioBand(program=[program], lose=0.01, drops=(20, 40))
    told = []
    with opened(band, patience=PERSISTENT, told=told) as device:
        check_lossy_air(device)
    assert band.lost > 0
    assert band.connections == 3
    assert told.count("ble://band is connected again") == 2


def test_a_stream_goes_on_after_lost_connections_and_its_losses_are_counted(program):
    """The board goes on while nobody listens, as sensors do: the stream has no end of its own."""
    band = RadioBand(program=[program], drops=(200, 400))
    whole = since = 0
    with opened(band) as device:
        assembler = WindowAssembler(device.hello)
        for event in device.stream():
            window = assembler.take(event)
            if window is not None and window.arrays is not None:
                assert window.answer.scores.tolist() == expected_scores(window.arrays)
                whole += 1
                since += band.connections == 3
            if since == 20:
                break
        assert device.statistics.stream_lost > 0
    assert whole > since == 20


class Stack(PipeTransport):
    """The board behind a stack of the test's own, without air: a port for the host's end.

    Args:
        seed: of what it does: it writes in odd pieces, frees its room late, agrees on other MTUs,
            and drops the connection now and then; None: nothing of that.
    """

    def __init__(self, program, seed: int | None = None):
        super().__init__(program)
        self._random = None if seed is None else random.Random(seed)
        self._rest = b""
        self._held = 0
        self.mtu, self.drops, self._next_drop = 23, 0, 5
        self.pieces: list[tuple[int, bytes]] = []
        self.tell("O", self.mtu.to_bytes(2, "little"))

    def tell(self, kind: str, content: bytes = b"") -> None:
        super().write(packet(kind, content))

    def write(self, data: bytes) -> None:
        while data:
            size = self._random.randint(1, 20) if self._random else 20
            self.tell("W", data[:size])
            data = data[size:]

    def read(self, timeout: float) -> bytes:
        if self._random:
            self._be_odd(self._random.random())
        data = super().read(timeout)
        packets, self._rest = unpacked(self._rest + data)
        own = [piece for kind, piece in packets if kind == "N"]
        self._held += len(own)
        self.pieces += [(self.mtu, piece) for piece in own]
        if not self._random or not own:
            self._free()
        return b"".join(own)

    def _be_odd(self, what: float) -> None:
        if what < 0.3:
            self._free()
        elif what < 0.35:
            self.mtu = max(self.mtu, self._random.choice((23, 24, 99, 247, 512)))
            self.tell("M", self.mtu.to_bytes(2, "little"))
        if len(self.pieces) >= self._next_drop:
            self._next_drop += self._random.randint(5, 15)
            self.drops += 1
            self.mtu, self._held = 23, 0
            self.tell("C")
            self.tell("O", self.mtu.to_bytes(2, "little"))

    def _free(self) -> None:
        while self._held:
            self._held -= 1
            self.tell("K")


@pytest.mark.parametrize("seed", range(3))
def test_no_window_gets_a_wrong_answer_whatever_the_stack_does(program, seed):
    port = Stack(program, seed)
    with Device(port, patience=PERSISTENT) as device:
        sent = windows(30, seed=seed)
        for answer in device.run_many(sent, keep_state=True):
            wanted = expected_scores(sent[answer.index], state=answer.index)
            assert answer.scores.tolist() == wanted
        assert answer.index == len(sent) - 1
    assert port.drops > 0
    assert max(len(piece) for _, piece in port.pieces) > 20
    assert all(len(piece) <= 244 for _, piece in port.pieces)
