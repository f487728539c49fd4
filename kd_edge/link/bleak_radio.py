"""This machine's Bluetooth, by the package bleak."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from kd_edge.base.errors import KdEdgeError, require
from kd_edge.link.bluetooth import FROM_BOARD, SERVICE, TO_BOARD

_SCAN_S = 5.0  # long enough for a second band of the same name
_AGAIN_S = 10.0
_CONNECT_S = 15.0
# Of one attribute of GATT; and a length that all stacks take at once.
_MOST_PIECE = 512
_LEAST_PIECE = 20
_MOST_NAMED = 8
_DENIED = ("AccessDenied", "NotPermitted", "NotAuthorized", "AuthFailed")


class BleakRadio:
    """A band whose name or address is `name`; see `kd_edge.link.bluetooth.Radio`.

    Args:
        name: that the band advertises, or its address.
        scan_s: how long to look for bands at first contact, in seconds.
        again_s: how long at most to look for the band after its connection was lost.
        scanner, client: backends of bleak; None: the system's.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE: bleak is not installed.
    """

    def __init__(
        self,
        name: str,
        *,
        scan_s: float = _SCAN_S,
        again_s: float = _AGAIN_S,
        scanner=None,
        client=None,
    ):
        self.name = name
        self._bleak = require("bleak", extra="ble", purpose="Bluetooth")
        self._scan_s, self._again_s = scan_s, again_s
        self._scanner_backend = scanner
        self._client_backend = client
        self._address: str | None = None  # once it was found
        self._client = None
        self._to_board = None
        self._confirmed = False

    async def connect(self, take: Callable[[bytes], None], lost: Callable[[], None]) -> int:
        try:
            device = await (self._find() if self._address is None else self._find_again())
            self._client = self._bleak.BleakClient(
                device, lambda _: lost(), timeout=_CONNECT_S, backend=self._client_backend
            )
            await self._client.connect()
            to_board, from_board = self._characteristics()
            await self._client.start_notify(from_board, lambda _, piece: take(bytes(piece)))
        except KdEdgeError:
            await self.disconnect()
            raise
        except Exception as error:  # every system's backend has errors of its own
            refusal = self._refusal(error)
            await self.disconnect()
            raise refusal from error
        self._address = device.address
        self._to_board = to_board
        # A confirmed piece is one that the band has taken: only then the next is sent.
        self._confirmed = "write" in to_board.properties
        size = to_board.max_write_without_response_size
        return min(max(size, _LEAST_PIECE), _MOST_PIECE)

    async def write(self, piece: bytes) -> None:
        try:
            await self._client.write_gatt_char(self._to_board, piece, response=self._confirmed)
        except Exception as error:
            raise _closed(self.name, error) from error

    async def disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                await client.disconnect()

    async def _find(self):
        """The one band of that name or address. Bands that advertise the service come first."""
        seen = await self._bleak.BleakScanner.discover(
            timeout=self._scan_s, return_adv=True, backend=self._scanner_backend
        )
        found = [
            (device, SERVICE in advertised.service_uuids)
            for device, advertised in seen.values()
            if self.name in (advertised.local_name, device.name)
            or self.name.casefold() == device.address.casefold()
        ]
        bands = [device for device, has_service in found if has_service]
        bands = bands or [device for device, _ in found]
        if not bands:
            raise self._absent(seen.values())
        if len(bands) > 1:
            raise KdEdgeError(
                "KD_PORT_AMBIGUOUS",
                f"{len(bands)} Bluetooth devices are called {self.name!r}",
                where=", ".join(sorted(device.address for device in bands)),
                hint="name the band by its address, or switch the others off",
            )
        return bands[0]

    async def _find_again(self):
        device = await self._bleak.BleakScanner.find_device_by_address(
            self._address, timeout=self._again_s, backend=self._scanner_backend
        )
        if device is None:
            raise self._absent(())
        return device

    def _absent(self, seen) -> KdEdgeError:
        names = sorted(
            {
                advertised.local_name or device.name or device.address
                for device, advertised in seen
                if SERVICE in advertised.service_uuids
            }
        )
        named = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
        return KdEdgeError(
            "KD_PORT_ABSENT",
            f"no Bluetooth device called {self.name!r} is near",
            where=f"bands seen: {named or 'none'}",
            hint="is it switched on, and not connected to a phone? A connected band is not seen",
        )

    def _characteristics(self):
        """The two of the service: to the band, from the band."""
        service = self._client.services.get_service(SERVICE)
        both = [service and service.get_characteristic(each) for each in (TO_BOARD, FROM_BOARD)]
        if None in both:
            raise KdEdgeError(
                "KD_BOARD_NO_FIRMWARE",
                f"the Bluetooth device {self.name!r} has no Nordic UART service",
                where=f"service {SERVICE}",
                hint="another device has the name, or firmware without that service is on it",
            )
        return both

    def _refusal(self, error: Exception) -> KdEdgeError:
        """What an error of bleak, of its backend or of the system means while a band is opened."""
        exc = self._bleak.exc
        off = isinstance(error, exc.BleakBluetoothNotAvailableError)
        words = str(error.args[0] if off else error) or type(error).__name__
        denied = off and "DENIED" in error.reason.name
        if denied or isinstance(error, PermissionError) or any(sign in words for sign in _DENIED):
            return KdEdgeError(
                "KD_PORT_DENIED",
                "this program may not use Bluetooth",
                where=words,
                hint="allow it in the system's settings; on Linux: sudo usermod -aG bluetooth "
                "$USER, then log in again",
            )
        if isinstance(error, exc.BleakDeviceNotFoundError):
            return self._absent(())
        if off or self._client is None:
            # Before a connection is tried, it can only be this machine's Bluetooth.
            return KdEdgeError(
                "KD_BLUETOOTH_OFF",
                "this machine has no Bluetooth that can be used",
                where=words,
                hint="switch Bluetooth on, or plug in an adapter; on Linux BlueZ must run: "
                "systemctl start bluetooth",
            )
        return _closed(self.name, error)


def _closed(name: str, error: Exception) -> KdEdgeError:
    return KdEdgeError(
        "KD_PORT_CLOSED",
        f"the Bluetooth device {name!r} does not answer",
        where=str(error) or type(error).__name__,
        hint="bring it nearer, charge it, or switch it off and on",
    )
