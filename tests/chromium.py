"""Headless Chromium, driven over its DevTools protocol through two pipes."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tab import Tab
from waiting import BOUND_S


def find_chromium() -> str:
    """Chromium's command; skips the test where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("chromium is not installed: on Debian, apt-get install chromium")


class Page(Tab):
    """A tab.

    Attributes:
        called: what the page gave to functions that `Runtime.addBinding` made.
    """

    def __init__(self, to_browser: int, from_browser: int):
        super().__init__()
        self._to, self._from = to_browser, from_browser
        self._rest = b""
        self._number = 0
        self.called: list[str] = []
        self._session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters):
        """The result of a DevTools command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """The window's size and whether the user prefers dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def run(self, script: str):
        return self._evaluated(expression=script)

    def resolved(self, script: str):
        return self._evaluated(expression=script, awaitPromise=True)

    def before_pages(self, script: str) -> None:
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def go_offline(self) -> None:
        self.call(
            "Network.emulateNetworkConditions",
            offline=True, latency=0, downloadThroughput=0, uploadThroughput=0,
        )  # fmt: skip

    def frames(self, n: int) -> None:
        """Waits until so many pictures have been drawn."""
        script = f"""new Promise((done) => {{
            let left = {n};
            const next = () => left-- ? requestAnimationFrame(next) : done(true);
            next();
        }})"""
        self.resolved(script)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if b"\0" in self._rest or select.select([self._from], [], [], left)[0]:
                self._next()

    def _evaluated(self, **asked):
        result = self.call("Runtime.evaluate", returnByValue=True, **asked)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def _next(self) -> dict:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], BOUND_S)
            assert ready, f"Chromium has been silent for {BOUND_S:g} s"
            data = os.read(self._from, 1 << 16)
            assert data, "Chromium has ended"
            self._rest += data
        raw, self._rest = self._rest.split(b"\0", 1)
        message = json.loads(raw)
        self._heed(message)
        return message

    def _heed(self, message: dict) -> None:
        method, said = message.get("method"), message.get("params", {})
        if method == "Runtime.bindingCalled":
            self.called.append(said["payload"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(said["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning"):
            self.complaints.append(json.dumps(said["args"]))
        elif method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.complaints.append(said["entry"]["text"])


@contextlib.contextmanager
def open_page(folder: Path) -> Iterator[Page]:
    """A tab of a fresh browser whose profile lies in `folder`; ended by its process id."""
    command = find_chromium()
    for_browser, to_browser = os.pipe()
    from_browser, by_browser = os.pipe()
    # The browser wants its ends as descriptors 3 and 4.
    shell = f'exec "$0" "$@" 3<&{for_browser} 4>&{by_browser}'
    flags = [
        "--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu",
        "--no-first-run", "--disable-dev-shm-usage", "--disable-background-networking",
        f"--user-data-dir={folder / 'chromium'}",
    ]  # fmt: skip
    process = subprocess.Popen(
        ["bash", "-c", shell, command, *flags],
        pass_fds=(for_browser, by_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    os.close(for_browser)
    os.close(by_browser)
    try:
        yield Page(to_browser, from_browser)
    finally:
        os.close(to_browser)
        try:
            process.wait(5)  # it ends when its pipe does
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(from_browser)
