"""Bluetooth without a radio: bumble's controllers, a band with a program behind it, and backends of
bleak that reach it."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Collection

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bumble.att import AttributeValue
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData
from bumble.device import Device, Peer
from bumble.gatt import Characteristic, Service
from bumble.hci import Address
from bumble.host import Host
from bumble.link import LocalLink
from link_harness import PipeTransport
from waiting import BOUND_S

from kd_edge.link.bleak_radio import BleakRadio
from kd_edge.link.bluetooth import FROM_BOARD, SERVICE, TO_BOARD

_TURN_S = 0.001
_MOST_QUEUED = 8  # pieces that the band's stack holds
_BROKEN_BYTES = 40  # of what the band says next, lost with each connection


class Band:
    """A band that advertises the service; a program's standard input and output are its board.

    Args:
        program: the board and its arguments; () for a band that is silent.
        service: another one makes it a device that is no band.
        write: how its characteristic is written to, of bumble's properties.
        lose: the share of pieces that get lost, both ways.
        drops: numbers of the pieces at which it drops the connection.
        gone_after: connections after which it is seen no more.
        holds: what the board says while nobody is connected comes later; else it is lost.
    """

    def __init__(
        self,
        name: str = "band",
        address: str = "F0:00:00:00:00:01",
        *,
        program: Collection[object] = (),
        service: str = SERVICE,
        write: Characteristic.Properties = Characteristic.WRITE
        | Characteristic.WRITE_WITHOUT_RESPONSE,
        lose: float = 0.0,
        drops: Collection[int] = (),
        gone_after: int | None = None,
        holds: bool = True,
        seed: int = 1,
    ):
        self.name, self.address = name, Address(address)
        self.program = PipeTransport(*program) if program else None
        self.pieces = self.connections = self.lost = 0
        self.advertises = self._heard = False
        self.largest = {"to the band": 0, "from the band": 0}
        self._service, self._write = service, write
        self._lose, self._drops, self._gone_after = lose, set(drops), gone_after
        self._holds, self._random = holds, random.Random(seed)
        self._breaking = 0  # bytes

    def close(self) -> None:
        if self.program is not None:
            self.program.close()

    async def start(self, link: LocalLink) -> None:
        self._device = _device(self.name, self.address, link)
        self._says = Characteristic(FROM_BOARD, Characteristic.NOTIFY, Characteristic.READABLE, b"")
        hears = Characteristic(
            TO_BOARD, self._write, Characteristic.WRITEABLE, AttributeValue(write=self._hear)
        )
        self._device.add_service(Service(self._service, [hears, self._says]))
        self._device.on("connection", self._connected)
        self._says.on("subscription", self._subscribed)
        await self._device.power_on()
        await self._advertise()
        if self.program is not None:
            self._speaking = asyncio.create_task(self._speak())

    async def _advertise(self) -> None:
        kinds = AdvertisingData.Type
        uuids = (kinds.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, bytes(UUID(self._service)))
        name = (kinds.COMPLETE_LOCAL_NAME, self.name.encode())
        # Together, for these controllers carry no scan response of its own.
        await self._device.start_advertising(
            advertising_data=bytes(AdvertisingData([uuids, name])),
            advertising_interval_min=20.0,
            advertising_interval_max=20.0,
        )
        self.advertises = True

    def _connected(self, connection) -> None:
        self._connection = connection
        self.connections += 1
        self.advertises = False
        connection.on("disconnection", self._disconnected)

    def _subscribed(self, _, notified: bool, __) -> None:
        self._heard = notified

    def _disconnected(self, _) -> None:
        self._heard = False
        self._breaking = _BROKEN_BYTES if self._holds else 0
        if self._gone_after is None or self.connections < self._gone_after:
            self._advertising = asyncio.create_task(self._advertise())

    def _hear(self, _, piece: bytes) -> None:
        self.largest["to the band"] = max(self.largest["to the band"], len(piece))
        if self.program is not None and not self._is_lost():
            self.program.write(piece)

    async def _speak(self) -> None:
        out = self.program.program.stdout.fileno()
        while data := await _read(out):
            while data and (self._holds or self._heard or not self.connections):
                if not self._heard:
                    await asyncio.sleep(_TURN_S)
                    continue
                size = self._random.randint(1, self._connection.att_mtu - 3)
                piece, data = data[:size], data[size:]
                await self._say(piece)

    async def _say(self, piece: bytes) -> None:
        self.pieces += 1
        if self.pieces in self._drops:
            await self._connection.disconnect()
            return
        if self._breaking > 0:
            self._breaking -= len(piece)
            return
        if self._is_lost():
            return
        self.largest["from the band"] = max(self.largest["from the band"], len(piece))
        await self._device.notify_subscriber(self._connection, self._says, piece)
        while self._device.host.le_acl_packet_queue.pending > _MOST_QUEUED:
            await asyncio.sleep(0)

    def _is_lost(self) -> bool:
        lost = self._random.random() < self._lose
        self.lost += lost
        return lost


class RadioBand(Band):
    """A band whose program cuts pieces itself, by kd_ble.c: `link_port_ble.c` has the packets.

    Attributes:
        refused: notifications for which its stack had no room.
    """

    def __init__(self, *names: str, **options):
        super().__init__(*names, **options)
        self.refused = 0
        self._said = b""

    def _connected(self, connection) -> None:
        super()._connected(connection)
        connection.on("connection_att_mtu_update", lambda: self._tell("M", self._mtu()))

    def _subscribed(self, connection, notified: bool, indicated: bool) -> None:
        super()._subscribed(connection, notified, indicated)
        self._tell("O" if notified else "C", self._mtu() if notified else b"")

    def _disconnected(self, reason) -> None:
        super()._disconnected(reason)
        self._tell("C")

    def _mtu(self) -> bytes:
        return self._connection.att_mtu.to_bytes(2, "little")

    def _tell(self, kind: str, content: bytes = b"") -> None:
        self.program.write(packet(kind, content))

    def _hear(self, _, piece: bytes) -> None:
        self.largest["to the band"] = max(self.largest["to the band"], len(piece))
        if not self._is_lost():
            self._tell("W", piece)

    async def _speak(self) -> None:
        out = self.program.program.stdout.fileno()
        while data := await _read(out):
            packets, self._said = unpacked(self._said + data)
            for kind, piece in packets:
                self.refused += kind == "F"
                if kind == "N":
                    if self._heard:
                        await self._say(piece)
                    self._tell("K")


def packet(kind: str, content: bytes = b"") -> bytes:
    """A packet of link_port_ble.c."""
    return kind.encode() + len(content).to_bytes(2, "little") + content


def unpacked(data: bytes) -> tuple[list[tuple[str, bytes]], bytes]:
    """The whole packets at the front of what a program has said, and the rest."""
    packets, at = [], 0
    while len(data) >= at + 3:
        end = at + 3 + int.from_bytes(data[at + 1 : at + 3], "little")
        if len(data) < end:
            break
        packets.append((chr(data[at]), data[at + 3 : end]))
        at = end
    return packets, data[at:]


class Air:
    """Bands that this machine's Bluetooth reaches, with pieces of at most `mtu` - 3 bytes."""

    def __init__(self, *bands: Band, mtu: int = 23):
        self.bands, self.mtu = bands, mtu
        self._link: LocalLink | None = None

    def radio(self, name: str, *, again_s: float = BOUND_S) -> BleakRadio:
        """bleak, on this air."""
        scanner = type("AirScanner", (Scanner,), {"air": self})
        client = type("AirClient", (_Client,), {"air": self})
        # A scan ends once every band was seen: it needs no time beyond that.
        return BleakRadio(name, scan_s=0.0, again_s=again_s, scanner=scanner, client=client)

    async def central(self) -> Device:
        if self._link is None:
            self._link = LocalLink()
            self._central = _device("host", Address("F1:00:00:00:00:00"), self._link)
            await self._central.power_on()
            for band in self.bands:
                await band.start(self._link)
        return self._central


def _device(name: str, address: Address, link: LocalLink) -> Device:
    controller = Controller(name, link=link)
    return Device(name=name, address=address, host=Host(controller, controller))


async def _read(descriptor: int) -> bytes:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(descriptor, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, 4096)


class Scanner(BaseBleakScanner):
    """A backend of bleak: what a scan sees."""

    air: Air

    def __init__(self, detection_callback=None, service_uuids=None, scanning_mode=None, **_):
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        self.seen_devices = {}
        self._central = await self.air.central()
        self._central.on("advertisement", self._see)
        await self._central.start_scanning()
        while sum(band.advertises for band in self.air.bands) > len(self.seen_devices):
            await asyncio.sleep(_TURN_S)

    def _see(self, seen) -> None:
        name = seen.data.get(AdvertisingData.Type.COMPLETE_LOCAL_NAME)
        uuids = seen.data.get(AdvertisingData.Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS)
        told = [_text(uuid) for uuid in uuids]
        advertised = AdvertisementData(name, {}, {}, told, None, seen.rssi, ())
        address = str(seen.address).removesuffix("/P")
        device = self.create_or_update_device(address, address, name, seen.address, advertised)
        self.call_detection_callbacks(device, advertised)

    async def stop(self) -> None:
        self._central.remove_listener("advertisement", self._see)
        await self._central.stop_scanning()


class _Client(BaseBleakClient):
    """A backend of bleak: one connection."""

    air: Air

    def __init__(self, device, **settings):
        super().__init__(device, **settings)
        self._peer_address = device.details
        self._connection = None

    @property
    def name(self) -> str:
        return self.address

    @property
    def mtu_size(self) -> int:
        return self._connection.att_mtu

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool, **_) -> None:
        central = await self.air.central()
        self._connection = await central.connect(self._peer_address, timeout=self._timeout)
        self._connection.on("disconnection", self._lost)
        peer = Peer(self._connection)
        if self.air.mtu > 23:
            await peer.request_mtu(self.air.mtu)
        self.services = BleakGATTServiceCollection()
        for service in await peer.discover_services():
            known = BleakGATTService(service, service.handle, _text(service.uuid))
            self.services.add_service(known)
            for one in await service.discover_characteristics():
                names = ("write", "write-without-response", "notify")
                bits = (0x08, 0x04, 0x10)
                told = [name for name, bit in zip(names, bits, strict=True) if one.properties & bit]
                self.services.add_characteristic(
                    BleakGATTCharacteristic(
                        one, one.handle, _text(one.uuid), told, lambda: self.mtu_size - 3, known
                    )
                )

    def _lost(self, _) -> None:
        self._connection = None
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.disconnect()

    async def write_gatt_char(self, characteristic, data, response: bool) -> None:
        await characteristic.obj.write_value(bytes(data), with_response=response)

    async def start_notify(self, characteristic, callback, **_) -> None:
        await characteristic.obj.subscribe(lambda piece: callback(bytearray(piece)))

    async def stop_notify(self, characteristic) -> None:
        raise NotImplementedError

    async def pair(self, *_, **__) -> None:
        raise NotImplementedError

    unpair = read_gatt_char = read_gatt_descriptor = write_gatt_descriptor = pair


def _text(uuid: UUID) -> str:
    return uuid.to_hex_str("-").lower()
