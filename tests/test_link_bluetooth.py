"""The link over Bluetooth: bleak on bumble's controllers, and behind a band our C as a program.

Oracle: the test board's scores, which are a checksum of each window.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from pathlib import Path

import pytest
from link_harness import (
    MODEL_SHA256,
    QUICK,
    build_board,
    check_lossy_air,
    expected_scores,
    streamed,
    windows,
)
from waiting import BOUND_S, joined

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli import run
from kd_edge.link import bleak_radio, bluetooth
from kd_edge.link.bleak_radio import BleakRadio
from kd_edge.link.bluetooth import FROM_BOARD, SERVICE, TO_BOARD, BluetoothTransport
from kd_edge.link.channel import Patience
from kd_edge.link.device import Device
from kd_edge.live.sources import open_source

bleak = pytest.importorskip("bleak", reason="needs the extra ble")
pytest.importorskip("bumble", reason="needs bumble, Bluetooth controllers without a radio")

from bleak.exc import (  # noqa: E402
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
)
from bumble_air import Air, Band  # noqa: E402

SOURCES = Path(__file__).parents[1] / "kd_edge/phone/templates/sources.js.j2"
# For air that loses pieces: what is lost is asked for again soon, and often enough on any machine.
PERSISTENT = Patience(timeout=0.4, retries=100)
# For air that loses nothing: first contact waits half a second at a time, whatever is said here.
PATIENT = Patience(timeout=60.0, retries=100)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build_board(tmp_path_factory.mktemp("board"), flags=("-O1",))


@contextlib.contextmanager
def opened(*bands, patience=PATIENT, told=None, mtu=23, again_s=None, **more):
    """The board behind the first of the bands."""
    tell = (lambda _: None) if told is None else told.append
    options = {} if again_s is None else {"again_s": again_s}
    with contextlib.ExitStack() as stack:
        for band in bands:
            stack.callback(band.close)
        radio = Air(*bands, mtu=mtu).radio(bands[0].name, **options)
        transport = BluetoothTransport(radio, tell=tell, first_wait_s=0.0)
        yield stack.enter_context(Device(transport, patience=patience, **more))


@pytest.mark.parametrize("mtu", [23, 185])
def test_windows_and_a_stream_come_whole_in_odd_pieces(program, mtu):
    band = Band(program=[program])
    with opened(band, mtu=mtu) as device:
        sent = windows(3, seed=1)
        answers = list(device.run_many(sent))
        assert [a.scores.tolist() for a in answers] == [expected_scores(each) for each in sent]
        assert streamed(device, 30) == (30, 0)
        counted = device.statistics
        assert counted.dropped_cobs == counted.dropped_crc == counted.stream_lost == 0
        assert device.raise_speed() is None
    assert band.largest["to the band"] == mtu - 3
    assert mtu / 2 < band.largest["from the band"] <= mtu - 3


def test_a_band_that_confirms_no_piece_is_written_to_all_the_same(program):
    from bumble.gatt import Characteristic

    band = Band(program=[program], write=Characteristic.WRITE_WITHOUT_RESPONSE)
    with opened(band) as device:
        (window,) = windows(1, seed=2)
        assert device.run(window).scores.tolist() == expected_scores(window)


def test_windows_are_answered_rightly_over_air_that_loses_pieces_and_connections(program):
    """Oracle: the checksum of each window and of those before it."""
    band = Band(program=[program], lose=0.01, drops=(40, 70))
    told = []
    with opened(band, patience=PERSISTENT, told=told) as device:
        check_lossy_air(device)
    assert band.lost > 0
    assert band.connections == 3
    assert told[0] == "the connection to ble://band is lost; trying again (1 of 5)"
    assert told.count("ble://band is connected again") == 2


def test_a_stream_goes_on_after_lost_connections_and_its_losses_are_counted(program):
    band = Band(program=[program], drops=(400, 700))
    with opened(band) as device:
        whole, missing = streamed(device, 60)
        lost = device.statistics.stream_lost
    assert band.connections == 3
    assert lost > 0
    assert whole >= 40
    assert 60 - lost <= whole + missing <= 60


def test_a_band_that_stays_away_ends_a_stream_and_what_came_before_counts(program):
    band = Band(program=[program], drops=(400,), gone_after=1)
    told, came = [], []
    with opened(band, told=told, again_s=0.0) as device:
        with pytest.raises(KdEdgeError) as ended:
            came.extend(device.stream())
        assert len(came) > 10
    assert ended.value.code == "KD_PORT_CLOSED"
    assert "no Bluetooth device called 'band' is near" in ended.value.where
    assert told[-1].endswith("trying again (5 of 5)")


def test_a_board_that_began_anew_while_it_was_away_is_named_as_such(program):
    band = Band(program=[program, "reset-after", 6, "resets", 1], drops=(60,), holds=False)
    patience = Patience(timeout=0.5, retries=9)  # a stream is silent after five seconds
    with opened(band, patience=patience) as device, pytest.raises(KdEdgeError) as ended:
        list(device.stream())
    assert ended.value.code == "KD_BOARD_RESET"


def test_the_band_is_chosen_by_its_service_and_by_its_address(program):
    other = Band(address="F0:00:00:00:00:02", service=SERVICE.replace("6e40", "1234"))
    with opened(Band(program=[program]), other) as device:
        assert device.hello.board == "test board"
    band = Band(program=[program])
    twin = Band(address="F0:00:00:00:00:02")
    with contextlib.closing(band):
        radio = Air(band, twin).radio("f0:00:00:00:00:01")
        with Device(BluetoothTransport(radio), patience=PATIENT) as device:
            assert device.name == "ble://f0:00:00:00:00:01"


@pytest.mark.parametrize(
    ("bands", "code", "says"),
    [
        ([Band("ring"), Band("glove", "F0:00:00:00:00:02")], "KD_PORT_ABSENT", "glove, ring"),
        ([], "KD_PORT_ABSENT", "bands seen: none"),
        (
            [Band(), Band(address="F0:00:00:00:00:02")],
            "KD_PORT_AMBIGUOUS",
            "F0:00:00:00:00:01, F0:00:00:00:00:02",
        ),
        ([Band(service=SERVICE.replace("6e40", "1234"))], "KD_BOARD_NO_FIRMWARE", SERVICE),
    ],
)
def test_a_band_that_cannot_be_taken_is_refused_in_words(bands, code, says):
    with pytest.raises(KdEdgeError) as refused:
        BluetoothTransport(Air(*bands).radio("band"))
    assert (refused.value.code, refused.value.exit_status) == (code, ExitStatus.BOARD)
    assert says in refused.value.where
    assert refused.value.hint


def test_a_band_with_another_model_is_refused(program):
    with (
        pytest.raises(KdEdgeError, match="another model") as refused,
        opened(Band(program=[program]), model_sha256="00" * 32),
    ):
        pass
    assert refused.value.code == "KD_BOARD_MODEL"
    assert MODEL_SHA256.hex()[:12] in refused.value.where


def test_a_silent_band_is_named_without_a_speed():
    with (
        pytest.raises(KdEdgeError, match="nothing comes from ble://band") as refused,
        opened(Band(), patience=QUICK),
    ):
        pass
    assert refused.value.code == "KD_BOARD_TIMEOUT"
    assert refused.value.where is None


_REASONS = BleakBluetoothNotAvailableReason


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BleakBluetoothNotAvailableError("no adapters", _REASONS.NO_BLUETOOTH), "KD_BLUETOOTH_OFF"),
        (BleakBluetoothNotAvailableError("off", _REASONS.POWERED_OFF), "KD_BLUETOOTH_OFF"),
        (BleakBluetoothNotAvailableError("no", _REASONS.DENIED_BY_USER), "KD_PORT_DENIED"),
        (BleakDBusError("org.freedesktop.DBus.Error.AccessDenied", ["no"]), "KD_PORT_DENIED"),
        (BleakDBusError("org.freedesktop.DBus.Error.ServiceUnknown", ["x"]), "KD_BLUETOOTH_OFF"),
        (PermissionError(13, "Permission denied"), "KD_PORT_DENIED"),
        (ConnectionRefusedError(111, "Connection refused"), "KD_BLUETOOTH_OFF"),
    ],
)
def test_bluetooth_that_cannot_be_used_is_told_from_bluetooth_that_is_forbidden(error, code):
    from bumble_air import Scanner

    class Failing(Scanner):
        async def start(self):
            raise error

        async def stop(self):
            pass

    with pytest.raises(KdEdgeError) as refused:
        BluetoothTransport(BleakRadio("band", scan_s=0.0, scanner=Failing))
    assert refused.value.code == code
    assert refused.value.where
    assert refused.value.hint


@pytest.mark.skipif(sys.platform != "linux", reason="BlueZ alone is behind D-Bus")
def test_a_machine_without_bluetooth_says_so(monkeypatch, capsys):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus")
    assert run(["live", "--ble", "band", "--plain"]) == ExitStatus.BOARD
    assert "KD_BLUETOOTH_OFF: this machine has no Bluetooth" in capsys.readouterr().err
    with pytest.raises(KdEdgeError, match="this machine has no Bluetooth"):
        open_source("ble://band")


def test_bluetooth_without_its_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "bleak", None)
    with pytest.raises(KdEdgeError) as refused:
        BleakRadio("band")
    assert refused.value.code == "KD_MISSING_PACKAGE"
    assert "kd-edge[ble]" in refused.value.hint


def test_live_follows_a_band_over_bluetooth(program, monkeypatch, capsys):
    band = Band(program=[program], drops=(300,))
    air = Air(band)
    monkeypatch.setattr(bleak_radio, "BleakRadio", air.radio)
    monkeypatch.setattr(bluetooth, "_FIRST_WAIT_S", 0.0)
    with contextlib.closing(band):
        assert run(["live", "--ble", "band", "--json", "--windows", "20"]) == 0
    told = capsys.readouterr()
    assert '"why": "ended after 20 windows, as asked"' in told.out
    assert "ble://band is connected again" in told.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--ble", "band", "--port", "/dev/none"], "--ble and --port"),
        (["--ble", "band", "--board", "qemu-an386"], "one way only"),
        (["--ble", "band", "--baud", "9600"], "neither a speed nor control lines"),
        (["--ble", "band", "--reset", "dtr-pulse"], "neither a speed nor control lines"),
        (["--ble", ""], "the band has no name"),
    ],
)
def test_options_that_bluetooth_does_not_have_are_usage_errors(options, says, capsys):
    assert run(["live", *options, "--plain"]) == ExitStatus.USAGE
    assert says in " ".join(capsys.readouterr().err.split())


class StandIn:
    """A radio whose next `connect` and `write` a test decides."""

    name = "band"

    def __init__(self):
        self.hangs = threading.Event()
        self.waits = threading.Event()

    async def connect(self, take, lost):
        self.take, self.lost = take, lost
        await self._perhaps()
        return 20

    async def write(self, piece):
        await self._perhaps()

    async def disconnect(self):
        pass

    async def _perhaps(self):
        if self.hangs.is_set():
            self.waits.set()
            await asyncio.sleep(2 * BOUND_S)


def test_a_band_that_takes_no_byte_is_an_error(monkeypatch):
    monkeypatch.setattr(bluetooth, "_PIECE_S", 0.01)
    radio = StandIn()
    with contextlib.closing(BluetoothTransport(radio)) as transport:
        radio.hangs.set()
        with pytest.raises(KdEdgeError, match="taken no byte") as refused:
            transport.write(b"123")
    assert refused.value.code == "KD_BOARD_TIMEOUT"


def test_closing_ends_whoever_waits_for_a_lost_connection():
    radio = StandIn()
    transport = BluetoothTransport(radio, first_wait_s=0.0)
    radio.hangs.set()
    transport._loop.call_soon_threadsafe(radio.lost)
    assert radio.waits.wait(BOUND_S)
    codes = []

    def waits(what):
        try:
            what()
        except KdEdgeError as error:
            codes.append(error.code)

    threads = [
        threading.Thread(target=waits, args=(lambda: transport.read(0.0),)),
        threading.Thread(target=waits, args=(lambda: transport.write(b"1"),)),
    ]
    for thread in threads:
        thread.start()
    transport.close()
    transport.close()
    for thread in threads:
        joined(thread, "the end of the connection")
    assert codes == ["KD_PORT_CLOSED"] * 2


def test_a_connection_that_is_lost_while_it_is_opened_is_no_connection():
    class Fickle(StandIn):
        async def connect(self, take, lost):
            lost()
            return 20

    with pytest.raises(KdEdgeError, match="is lost") as refused:
        BluetoothTransport(Fickle())
    assert refused.value.code == "KD_PORT_CLOSED"


def test_what_nobody_reads_is_bounded(monkeypatch):
    monkeypatch.setattr(bluetooth, "_MOST_UNREAD", 30)
    radio = StandIn()
    with contextlib.closing(BluetoothTransport(radio)) as transport:
        for _ in range(9):
            radio.take(bytes(20))
        assert transport.read(0.0) == bytes(40)
        assert transport.read(0.0) == b""


def test_the_page_for_phones_takes_the_same_service():
    text = SOURCES.read_text("utf-8")
    for number, uuid in enumerate((SERVICE, TO_BOARD, FROM_BOARD), start=1):
        assert uuid == f"6e40000{number}{SERVICE[8:]}"
    assert f"`6e40000${{n}}{SERVICE[8:]}`" in text
