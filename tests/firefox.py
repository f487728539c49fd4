"""Headless Firefox, driven by WebDriver BiDi over a socket of this machine."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tab import Tab
from waiting import BOUND_S, program, wait_until


def find_firefox() -> str:
    """Firefox's command; skips the test if there is none."""
    for name in ("firefox-esr", "firefox"):
        if found := shutil.which(name):
            return found
    pytest.skip("firefox is not installed: on Debian, apt-get install firefox-esr")


class FirefoxPage(Tab):
    """The tab of a browser that has just begun."""

    def __init__(self, socket):
        super().__init__()
        self._socket = socket
        self._number = 0
        self.call("session.new", capabilities={})
        (context,) = self.call("browsingContext.getTree")["contexts"]
        self._context = context["context"]
        self.call("session.subscribe", events=["log.entryAdded"])

    def call(self, method: str, **parameters):
        """The result of a command of WebDriver BiDi."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        self._socket.send(json.dumps(message))
        while True:
            answer = self._next(BOUND_S)
            if answer.get("id") == self._number:
                assert answer["type"] == "success", answer
                return answer["result"]

    def look(self, width: int, height: int) -> None:
        size = {"width": width, "height": height}
        self.call("browsingContext.setViewport", context=self._context, viewport=size)

    def open(self, url: str) -> None:
        self.call("browsingContext.navigate", context=self._context, url=url, wait="none")

    def run(self, script: str):
        return self._evaluated(script, waits=False)

    def resolved(self, script: str):
        return self._evaluated(script, waits=True)

    def before_pages(self, script: str) -> None:
        function = f"() => {{ {script} }}"
        self.call("script.addPreloadScript", functionDeclaration=function, contexts=[self._context])

    def go_offline(self) -> None:
        self.call(
            "emulation.setNetworkConditions",
            networkConditions={"type": "offline"}, contexts=[self._context],
        )  # fmt: skip

    def screenshot(self, path: Path) -> None:
        shot = self.call("browsingContext.captureScreenshot", context=self._context)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                self._next(left)

    def _evaluated(self, script: str, *, waits: bool):
        # As JSON, for BiDi's own form of lists and objects is another.
        expression = f"Promise.resolve({script})" if waits else f"({script})"
        text = f"{expression}.then(JSON.stringify)" if waits else f"JSON.stringify({expression})"
        found = self.call(
            "script.evaluate",
            expression=text, target={"context": self._context}, awaitPromise=waits,
        )  # fmt: skip
        assert found["type"] == "success", found["exceptionDetails"]
        value = found["result"].get("value")
        return None if value is None else json.loads(value)

    def _next(self, seconds: float) -> dict:
        message = json.loads(self._socket.recv(seconds))
        if message.get("method") == "log.entryAdded":
            said = message["params"]
            if said["level"] in ("error", "warn"):
                self.complaints.append(said["text"])
        return message


@contextlib.contextmanager
def open_firefox(folder: Path) -> Iterator[FirefoxPage]:
    """A tab of a fresh browser whose profile lies in `folder`."""
    client = pytest.importorskip("websockets.sync.client", reason="needs websockets")
    profile = folder / "firefox"
    profile.mkdir()
    address = profile / "WebDriverBiDiServer.json"
    command = [
        find_firefox(), "--headless", "--no-remote", "--remote-debugging-port", "0",
        "--profile", profile, "about:blank",
    ]  # fmt: skip
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with program(command, "Firefox's answers", **silent):
        told = wait_until(lambda: _read(address), "Firefox to listen")
        url = f"ws://{told['ws_host']}:{told['ws_port']}/session"
        # Pages and pictures are larger than what this client takes by itself.
        with client.connect(url, max_size=None, compression=None, proxy=None) as socket:
            yield FirefoxPage(socket)


def _read(path: Path) -> dict | None:
    """The file's JSON; None while it is not whole."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
