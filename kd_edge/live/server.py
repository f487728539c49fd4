"""The page's server: this machine only, one secret path, Server-Sent Events."""

from __future__ import annotations

import contextlib
import hmac
import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kd_edge.base.errors import KdEdgeError
from kd_edge.live.broadcast import Broadcast
from kd_edge.live.facts import Facts
from kd_edge.report.html import content_policy, page_template

ADDRESS = "127.0.0.1"
_BEAT_S = 2.0  # a comment goes out so often where nothing happens, so that pages see us alive
_STUCK_S = 10.0  # a page that takes nothing for so long is let go
_GOODBYE_S = 2.0
_LONGEST_KEY = 16  # bytes


def live_page(facts: Facts) -> str:
    """The page of `kd-edge live`."""
    return page_template("live.html.j2", "kd_edge.live").render(facts=facts)


class PageServer:
    """Serves one feed until it is closed.

    Args:
        page: HTML, whose script listens to the feed as 'events'.
        port: of 127.0.0.1; 0: a free one.
        press: takes a key that the page posts to 'keys'; None: no key is taken.

    Attributes:
        url: of the page, with its secret.

    Raises:
        KdEdgeError KD_PORT_BUSY: the port is taken or not this user's.
    """

    def __init__(
        self,
        feed: Broadcast,
        page: str,
        *,
        port: int = 0,
        press: Callable[[str], None] | None = None,
    ):
        self._feed = feed
        try:
            self._server = _Server((ADDRESS, port), feed, page.encode(), press)
        except (OSError, OverflowError) as error:
            raise KdEdgeError(
                "KD_PORT_BUSY",
                f"port {port} of {ADDRESS} cannot be opened: {error}",
                hint="--http-port with another number, or without it: a free one is found",
            ) from error
        self.url = f"http://{ADDRESS}:{self._server.server_port}/{self._server.secret}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Gives pages a moment to read the end, then stops."""
        self._feed.wait_until_read(_GOODBYE_S)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # On Windows this would take a port from a program that listens at it.
    allow_reuse_address = sys.platform != "win32"

    def __init__(
        self,
        address: tuple[str, int],
        feed: Broadcast,
        page: bytes,
        press: Callable[[str], None] | None,
    ):
        super().__init__(address, _Handler)
        self.secret = secrets.token_urlsafe(18)
        self.feed, self.page, self.press = feed, page, press
        self.paths = {f"/{self.secret}/{name}": name or "page" for name in ("", "events", "keys")}
        self.policy = content_policy(
            page.decode(), more="connect-src 'self'; frame-ancestors 'none'"
        )
        self.hosts = {f"{name}:{self.server_port}" for name in (ADDRESS, "localhost")}


class _Handler(BaseHTTPRequestHandler):
    """Answers GET for the page and its events, and POST of keys if the page has any.

    Everything else is refused without a word.
    """

    server: _Server
    timeout = _STUCK_S
    # Else an event may wait until the page's machine has confirmed the one before.
    disable_nagle_algorithm = True
    server_version = "kd-edge"
    sys_version = ""

    def do_GET(self) -> None:
        if not self._is_ours():
            return
        match self._wanted():
            case "page":
                self._send_page()
            case "events":
                self._send_events()
            case _:
                self._answer(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        self.close_connection = True  # what is left of a request's body is not read
        if self.server.press is None:
            self._answer(HTTPStatus.NOT_IMPLEMENTED)
            return
        if not self._is_ours():
            return
        length = self.headers.get("Content-Length", "")
        if self._wanted() != "keys":
            self._answer(HTTPStatus.NOT_FOUND)
        elif not (length.isdecimal() and len(length) < 4 and int(length) <= _LONGEST_KEY):
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            self.server.press(self.rfile.read(int(length)).decode(errors="replace"))
            self._answer(HTTPStatus.OK)

    def log_message(self, *_: object) -> None:
        """Nothing: the terminal shows the live run."""

    def _is_ours(self) -> bool:
        """Another site's name that leads to this machine must not read along (DNS rebinding)."""
        ours = self.headers.get("Host", "").lower() in self.server.hosts
        if not ours:
            self._answer(HTTPStatus.MISDIRECTED_REQUEST)
        return ours

    def _wanted(self) -> str | None:
        asked = self.path.partition("?")[0].encode()
        # In the same time whatever is asked, so that the secret cannot be felt out.
        found = [
            kind
            for path, kind in self.server.paths.items()
            if hmac.compare_digest(path.encode(), asked)
        ]
        return found[0] if found else None

    def _send_page(self) -> None:
        self._start("text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", self.server.policy)
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Content-Length", str(len(self.server.page)))
        self.end_headers()
        self.wfile.write(self.server.page)

    def _send_events(self) -> None:
        self._start("text/event-stream; charset=utf-8")
        self.end_headers()
        with self._watching() as messages, contextlib.suppress(OSError):
            for message in messages:
                self.wfile.write(message.encode())
        self.close_connection = True

    @contextlib.contextmanager
    def _watching(self) -> Iterator[Iterator[str]]:
        watcher = self.server.feed.subscribe()

        def messages() -> Iterator[str]:
            yield "retry: 1000\n\n"
            while (message := watcher.get(_BEAT_S)) is not None:
                yield message or ": still here\n\n"

        try:
            yield messages()
        finally:
            self.server.feed.unsubscribe(watcher)

    def _start(self, content_type: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")

    def _answer(self, status: HTTPStatus) -> None:
        """An answer without content."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
