"""Bytes to and from a board over Bluetooth Low Energy, by a Nordic UART service."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from kd_edge.base.errors import KdEdgeError

PREFIX = "ble://"
SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
TO_BOARD = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
FROM_BOARD = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"

_TRIES = 5
_FIRST_WAIT_S = 0.5  # before the first of them; each next one waits twice as long
_PIECE_S = 5.0
_CLOSE_S = 5.0
_TURN_S = 0.2  # after which a wait looks for Ctrl-C, which some systems hold back meanwhile
_MOST_UNREAD = 1 << 20  # bytes; what comes beyond them is lost, as on a wire that nobody reads


class Radio(Protocol):
    """One band as this machine's Bluetooth sees it; all of it runs on one event loop.

    Attributes:
        name: as the user names the band.
    """

    name: str

    async def connect(self, take: Callable[[bytes], None], lost: Callable[[], None]) -> int:
        """Find the band and open its service; again after a connection was lost.

        Args:
            take: called with every piece that comes.
            lost: called once when the connection is lost.

        Returns:
            The largest piece that `write` may be given, in bytes.

        Raises:
            KdEdgeError KD_BLUETOOTH_OFF, KD_PORT_DENIED: Bluetooth cannot be used.
            KdEdgeError KD_PORT_ABSENT, KD_PORT_AMBIGUOUS: not one band has the name.
            KdEdgeError KD_BOARD_NO_FIRMWARE: the band has no such service.
            KdEdgeError KD_PORT_CLOSED: it does not connect.
        """

    async def write(self, piece: bytes) -> None:
        """Send a piece; returns once there is room for the next.

        Raises:
            KdEdgeError KD_PORT_CLOSED: the connection is lost. No other error is raised.
        """

    async def disconnect(self) -> None:
        """End the connection, if there is one. Never fails."""


class BluetoothTransport:
    """A band as a port: see `kd_edge.link.transport.Transport`.

    A lost connection is opened again, up to five times. Until then `read` and `write` wait; what
    was on its way is lost, and the link asks for it again.

    Args:
        radio: not connected yet.
        tell: told in a sentence when a connection is lost and found again, on another thread.
        first_wait_s: before the first attempt to connect again; each next one waits twice as long.

    Raises:
        KdEdgeError: as `Radio.connect`.
    """

    has_speed = False

    def __init__(
        self,
        radio: Radio,
        *,
        tell: Callable[[str], None] = lambda _: None,
        first_wait_s: float = _FIRST_WAIT_S,
    ):
        self.name = PREFIX + radio.name
        self._radio = radio
        self._tell = tell
        self._first_wait_s = first_wait_s
        self._changed = threading.Condition()
        # What both threads look at, under the condition's lock.
        self._unread = bytearray()
        self._piece = 0  # the largest, in bytes; 0 while there is no connection
        self._ended: KdEdgeError | None = None
        # What the loop's thread alone looks at.
        self._connection: asyncio.Future | None = None  # done once it is lost
        self._again: asyncio.Task | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=self.name, daemon=True)
        self._thread.start()
        try:
            self._on_loop(self._connect())
        except BaseException:
            self.close()
            raise

    def write(self, data: bytes) -> None:
        with self._changed:
            while not self._piece:
                self._raise_if_ended()
                self._changed.wait(_TURN_S)
        self._on_loop(self._send(data))

    def read(self, timeout: float) -> bytes:
        until = time.monotonic() + timeout
        with self._changed:
            while not self._unread:
                self._raise_if_ended()
                left = until - time.monotonic()
                if self._piece and left <= 0:
                    return b""
                self._changed.wait(min(left, _TURN_S) if self._piece else _TURN_S)
            data = bytes(self._unread)
            self._unread.clear()
        return data

    def set_speed(self, baud: int) -> bool:
        return False

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self._end(_lost(self.name, "it was closed here"))
        self._on_loop(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _on_loop(self, work: Coroutine) -> Any:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:  # Ctrl-C too
            future.cancel()
            raise

    def _raise_if_ended(self) -> None:
        if self._ended is not None:
            raise self._ended

    async def _connect(self) -> None:
        self._connection = connection = self._loop.create_future()
        piece = await self._radio.connect(self._take, functools.partial(self._lose, connection))
        if connection.done():
            raise _lost(self.name, "it was lost while it was opened")
        with self._changed:
            self._piece = piece
            self._changed.notify_all()

    async def _send(self, data: bytes) -> None:
        """Sends piece by piece; if the connection is lost meanwhile, the rest is lost too."""
        connection, piece = self._connection, self._piece
        for at in range(0, len(data), piece) if piece else ():
            if connection.done():
                return
            written = self._loop.create_task(self._radio.write(data[at : at + piece]))
            await asyncio.wait(
                {written, connection}, timeout=_PIECE_S, return_when=asyncio.FIRST_COMPLETED
            )
            if not written.done():
                written.cancel()
                if not connection.done():
                    raise KdEdgeError(
                        "KD_BOARD_TIMEOUT",
                        f"{self.name} has taken no byte for {_PIECE_S:g} s",
                        hint="the band hangs: switch it off and on",
                    )
            elif written.cancelled() or written.exception() is not None:
                self._lose(connection)

    def _take(self, piece: bytes) -> None:
        with self._changed:
            if len(self._unread) < _MOST_UNREAD:
                self._unread += piece
            self._changed.notify_all()

    def _lose(self, connection: asyncio.Future) -> None:
        """Opens the connection again, unless that is under way or nobody wants it any more."""
        if connection.done():
            return
        connection.set_result(None)
        if self._piece and self._ended is None:
            with self._changed:
                self._piece = 0
            self._again = self._loop.create_task(self._reconnect())

    async def _reconnect(self) -> None:
        why = ""
        try:
            for attempt in range(_TRIES):
                self._tell(
                    f"the connection to {self.name} is lost; "
                    f"trying again ({attempt + 1} of {_TRIES})"
                )
                await asyncio.sleep(self._first_wait_s * 2**attempt)
                try:
                    await self._radio.disconnect()
                    await self._connect()
                except KdEdgeError as error:
                    why = error.message
                else:
                    self._tell(f"{self.name} is connected again")
                    return
        finally:
            # However this ends: whoever waits for the connection is told.
            if not self._piece:
                self._end(_lost(self.name, why or "it was lost"))

    def _end(self, error: KdEdgeError) -> None:
        with self._changed:
            self._ended = self._ended or error
            self._piece = 0
            self._changed.notify_all()

    async def _shut(self) -> None:
        if self._connection is not None:
            self._connection.cancel()
        if self._again is not None:
            self._again.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._radio.disconnect(), _CLOSE_S)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def _lost(name: str, why: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_PORT_CLOSED",
        f"the connection to {name} is lost",
        where=why,
        hint="is the band out of reach, or its battery empty? What was answered before is kept",
    )
