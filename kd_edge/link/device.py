"""A board behind a port, as an object."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.protocol import ACTIONS, FLAGS
from kd_edge.base.running import RunningState, pack_state, unpack_state
from kd_edge.link.channel import BoardRefusal, BoardRestarted, Channel, NoAnswer, Patience
from kd_edge.link.checks import impossible
from kd_edge.link.handshake import FIRST_SPEED, USUAL_SPEEDS, say_hello
from kd_edge.link.heads import BoardHead
from kd_edge.link.messages import (
    Answer,
    GoldenCheck,
    Hello,
    Layer,
    Memory,
    Prediction,
    Samples,
    SelfTest,
    Worn,
)
from kd_edge.link.refusals import refusal_error
from kd_edge.link.runs import Runs
from kd_edge.link.statistics import Statistics
from kd_edge.link.stream import events
from kd_edge.link.transport import Transport, open_transport

_MOST_RESTARTS = 3
# The board gives a new speed one second before it goes back to the first.
_SPEED_BACK_S = 1.2
# How long a board is waited for that is told to go back to the first speed.
_FAREWELL_S = 0.3
# A window may take this many times as long as the slowest so far before it is asked for again.
_SLOWER = 3.0


class Device:
    """A board with which a session is open.

    Args:
        transport: an open port, at speeds[0].
        model_sha256: the model that must be on the board, in hexadecimal; None: any.
        patience: how long to wait for answers and how often to ask.
        speeds: in baud; tried in this order at first contact.

    Raises:
        KdEdgeError: as `kd_edge.link.handshake.say_hello`; the transport is closed then.
    """

    why_ended = ""  # a board streams until it is stopped

    def __init__(
        self,
        transport: Transport,
        *,
        model_sha256: str | None = None,
        patience: Patience = Patience(),  # noqa: B008  # frozen
        speeds: tuple[int, ...] = (FIRST_SPEED,),
    ):
        self._channel = Channel(transport, patience=patience)
        self._patience = patience
        self._speeds = speeds
        self._speed_raised = False
        try:
            self.hello = say_hello(self._channel, speeds=speeds, model_sha256=model_sha256)
        except BaseException:
            transport.close()
            raise

    @classmethod
    def open(
        cls,
        url: str,
        *,
        baud: int | None = None,
        reset: str = "none",
        model_sha256: str | None = None,
        patience: Patience = Patience(),  # noqa: B008  # frozen
        tell: Callable[[str], None] = lambda _: None,
    ) -> Device:
        """Opens a port and greets the board behind it.

        Args:
            url: anything that pyserial opens, or ble://NAME.
            baud: the only speed to try; None: 115200 first, then the other usual ones.
            reset: a key of `kd_edge.link.reset.STRATEGIES`.
            model_sha256, patience: as for the class.
            tell: told in a sentence when a connection is lost and found again, on another thread.

        Raises:
            KdEdgeError: as `open_transport`, and as for the class.
        """
        speeds = USUAL_SPEEDS if baud is None else (baud,)
        transport = open_transport(url, baud=baud, reset=reset, tell=tell)
        return cls(transport, model_sha256=model_sha256, patience=patience, speeds=speeds)

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the port back, at the speed at which the next one expects it; again is harmless."""
        if self._speed_raised:
            self._speed_raised = False
            with contextlib.suppress(KdEdgeError, NoAnswer, BoardRestarted):
                self._channel.patience = Patience(_FAREWELL_S, 0)
                self._channel.ask("SPEED", baud=self._speeds[0])
        self._channel.transport.close()

    @property
    def name(self) -> str:
        """The port's name."""
        return self._channel.transport.name

    @property
    def statistics(self) -> Statistics:
        """A copy of the counters as they stand."""
        return replace(self._channel.statistics)

    def reset(self) -> None:
        """Clears the model's state."""
        self._ask("RESET")

    def run(self, arrays, *, kind: str = "int8", keep_state: bool = False) -> Answer:
        """One window's answer; see `run_many`."""
        return next(iter(self.run_many([arrays], kind=kind, keep_state=keep_state)))

    def run_many(
        self,
        windows: Iterable,
        *,
        kind: str = "int8",
        keep_state: bool = False,
        begins: Callable[[int], bool] | None = None,
        depth: int | None = None,
    ) -> Iterator[Answer]:
        """Answers to many windows in their order, several of them on their way at once.

        Args:
            windows: each one array per input of the model (int8), or with kind "raw" one per
                sensor (int16, samples x channels); taken as fast as the board answers.
            kind: "int8" or "raw".
            keep_state: do not reset the model's state before each window.
            begins: whether a window of that index follows no other, so that a decision rule begins
                anew, and for a raw window a running normaliser; None: every window does.
            depth: windows on their way at most; None: as many as the board allows.

        Yields:
            Every answer, also those that came before a fault ends the run.

        Raises:
            KdEdgeError KD_PORT_CLOSED: unplugged.
            KdEdgeError KD_BOARD_TIMEOUT, KD_BOARD_SPEED: no answer, after all repetitions.
            KdEdgeError KD_BOARD_RESET: it began anew too often, or with keep_state or begins at
                all.
            KdEdgeError KD_BOARD_REFUSED: it cannot run them.
            KdEdgeError KD_SHAPE: a window is not what the board takes.
        """
        self._ensure_session()
        runs = Runs(
            self._channel,
            self.hello,
            windows,
            kind=kind,
            keep_state=keep_state,
            begins=begins,
            depth=depth,
            rejoin=self._rejoin,
            heed=self._heed,
        )
        try:
            yield from runs.answers()
        except NoAnswer as error:
            raise self._no_answer() from error
        finally:
            self._settle()

    def normaliser(self, action: str = "tell", state: RunningState | None = None) -> Worn:
        """What the board's running normaliser knows of its wearer, once it has done something.

        Args:
            action: "tell", "reset", "freeze", "thaw", "keep", or "set", which takes a `state`.

        Raises:
            KdEdgeError KD_BOARD_REFUSED: its front end has none, the state is another's, or the
                firmware cannot keep it.
        """
        states = b"" if state is None else pack_state(state)
        answer = self._request("NORMALISER", action=ACTIONS[action.upper()], states=states)
        if isinstance(answer, BoardRefusal):
            raise refusal_error(self.hello.board, answer, where="NORMALISER")
        return Worn(unpack_state(answer.states), bool(answer.frozen))

    @property
    def head(self) -> BoardHead:
        """The board's last layer: told, replaced, kept."""
        return BoardHead(self._ask_head, self.hello)

    def _ask_head(self, **values: Any) -> Any:
        answer = self._request("HEAD", **values)
        if not isinstance(answer, BoardRefusal):
            sha256 = bytes(answer.model_sha256).hex()
            self.hello = replace(self.hello, model_sha256=sha256)
        return answer

    def selftest(self) -> SelfTest:
        """Runs every golden vector of the image on the board; resets the model's state."""
        vectors = []
        for index in range(self.hello.golden_count):
            result = self._ask("SELFTEST", index=index)
            vectors.append(
                GoldenCheck(
                    index,
                    result.differing,
                    self.hello.count(result.ticks),
                    result.microseconds,
                )
            )
        return SelfTest(tuple(vectors))

    def profile(self) -> tuple[Layer, ...]:
        """Ticks per layer of one run of the model; resets its state."""
        layers: list[Layer] = []
        while True:
            page = self._ask("PROFILE", first=len(layers))
            layers += [Layer(layer.name, self.hello.count(layer.ticks)) for layer in page.layers]
            if len(layers) >= page.count:
                return tuple(layers)

    def memory(self) -> Memory:
        """Memory in use and receive counters."""
        answer = self._ask("MEMORY")
        return Memory(**{name: getattr(answer, name) for name in Memory.__dataclass_fields__})

    def stream(
        self, *, windows: int = 0, keep_state: bool = False, beat_s: float | None = None
    ) -> Iterator[Samples | Prediction | None]:
        """What the board's sensors and model give, as it comes.

        Ends after `windows` predictions (0: never), when the caller closes the iterator, or
        when the board falls silent; lost frames are counted in `statistics.stream_lost`.
        `kd_edge.link.stream.WindowAssembler` makes windows of it; `beat_s` is that of `events`.

        Raises:
            KdEdgeError KD_PORT_CLOSED, KD_BOARD_TIMEOUT, KD_BOARD_RESET, KD_BOARD_REFUSED.
        """
        self._channel.unasked.clear()
        self._ask("STREAM", windows=windows, flags=FLAGS["KEEP_STATE"] if keep_state else 0)
        restarts = self._channel.statistics.restarts
        running = True
        try:
            yield from events(self._channel, self.hello, windows=windows, beat_s=beat_s)
        except BoardRestarted as error:
            running = False
            self.hello = self._rejoin()
            raise self._began_anew() from error
        except KdEdgeError:
            running = False
            raise
        finally:
            if running:
                self.stop()
        if self._channel.statistics.restarts > restarts:
            # Its start was not heard: a connection was lost meanwhile.
            raise self._began_anew()

    def _began_anew(self) -> KdEdgeError:
        return KdEdgeError(
            "KD_BOARD_RESET",
            f"{self.hello.board} began anew in the middle of a stream",
            hint="a fault in the firmware, its watchdog, or its power sags",
        )

    def stop(self) -> int:
        """Ends a stream. Returns the frames of it that the board has sent."""
        frames = self._ask("STOP").frames
        self._channel.unasked.clear()
        return frames

    def raise_speed(self) -> int | None:
        """Goes to the highest usual speed that both ends agree on and that works.

        Returns:
            The new speed, or None if it stays as it is.
        """
        for baud in sorted(USUAL_SPEEDS, reverse=True):
            if baud > self._speeds[0] and self.set_speed(baud):
                return baud
        return None

    def set_speed(self, baud: int) -> bool:
        """Raises or lowers the port's speed. Returns False if either end does not agree."""
        if not 0 < baud <= self.hello.max_baud or not self._channel.transport.has_speed:
            return False
        self._ask("SPEED", baud=baud)
        if not self._channel.transport.set_speed(baud):
            return False
        try:
            self.hello = self._greet((baud,))
        except KdEdgeError as error:
            if error.code == "KD_PORT_CLOSED":
                raise
            time.sleep(_SPEED_BACK_S)
            self._channel.transport.set_speed(self._speeds[0])
            self.hello = self._greet(self._speeds)
            return False
        self._speed_raised = True
        return True

    def _ask(self, name: str, **values: Any) -> Any:
        """The answer to a request; a refusal is an error."""
        answer = self._request(name, **values)
        if isinstance(answer, BoardRefusal):
            raise refusal_error(self.hello.board, answer, where=name)
        return answer

    def _request(self, name: str, **values: Any) -> Any:
        """The answer to a request, or the `BoardRefusal` that came in its place."""
        for _ in range(_MOST_RESTARTS):
            try:
                self._ensure_session()
                return self._channel.ask(name, **values)
            except BoardRestarted:
                self.hello = self._rejoin()
                continue
            except NoAnswer as error:
                raise self._no_answer() from error
        raise KdEdgeError(
            "KD_BOARD_RESET",
            f"{self.hello.board} begins anew each time it is asked for {name}",
            hint="a fault in the firmware, or its stack is too small",
        )

    def _greet(self, speeds: tuple[int, ...]) -> Hello:
        sha256 = self.hello.model_sha256
        hello = say_hello(self._channel, speeds=speeds, model_sha256=sha256)
        if replace(hello, boot=self.hello.boot) != self.hello:
            raise impossible(
                "it is another board, or has other firmware, than before", where="HELLO"
            )
        return hello

    def _rejoin(self) -> Hello:
        """A new session with a board that began anew, at its first speed."""
        self._channel.statistics.restarts += 1
        if self._speed_raised:
            self._channel.transport.set_speed(self._speeds[0])
            self._speed_raised = False
        self.hello = self._greet(self._speeds)
        return self.hello

    def _heed(self, seconds: float) -> None:
        """Waits longer for a board that needs long."""
        needed = self._patience.timeout + _SLOWER * seconds
        if needed > self._channel.patience.timeout:
            self._channel.patience = replace(self._patience, timeout=needed)

    def _settle(self) -> None:
        """Forgets what a run that ended early left unanswered; the next request greets anew."""
        if not self._channel.idle:
            self._channel.end_session()

    def _ensure_session(self) -> None:
        if not self._channel.in_session:
            self.hello = self._greet(self._speeds)

    def _no_answer(self) -> KdEdgeError:
        name, heard = self._channel.transport.name, self._channel.heard_bytes
        counted = self._channel.statistics
        if heard:
            return KdEdgeError(
                "KD_BOARD_SPEED",
                f"{self.hello.board} on {name} answers, but nothing arrives whole",
                where=f"{heard} bytes since the last answer; {counted.dropped} frames damaged",
                hint="a lower speed, a shorter or better cable, no hub",
            )
        return KdEdgeError(
            "KD_BOARD_TIMEOUT",
            f"{self.hello.board} on {name} has fallen silent",
            where=f"asked {self._patience.retries + 1} times; "
            f"{counted.frames_received} frames came before",
            hint="its firmware hangs or its power is gone: reset it; the port itself is open",
        )
