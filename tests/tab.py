"""A browser's tab as tests see it, whatever protocol drives it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path

from waiting import BOUND_S


class Tab(ABC):
    """A page that is open.

    Attributes:
        complaints: what the page's console has said that is no mere remark, and what it threw.
    """

    def __init__(self):
        self.complaints: list[str] = []

    @abstractmethod
    def open(self, url: str) -> None:
        """Begin to load a page."""

    @abstractmethod
    def run(self, script: str):
        """The value of a JavaScript expression."""

    @abstractmethod
    def resolved(self, script: str):
        """What the promise that a JavaScript expression gives leads to."""

    @abstractmethod
    def before_pages(self, script: str) -> None:
        """Statements that every page to come runs before its own."""

    @abstractmethod
    def go_offline(self) -> None:
        """Switch this tab's network off."""

    @abstractmethod
    def look(self, width: int, height: int) -> None:
        """Set the window's size."""

    @abstractmethod
    def screenshot(self, path: Path) -> None:
        """Write a picture of the window as PNG."""

    @abstractmethod
    def pause(self, seconds: float) -> None:
        """Hear what the browser has to say for so long."""

    def wait_for(self, script: str, *, seconds: float = BOUND_S):
        """The expression's value as soon as it is true; fails after so many seconds."""
        deadline = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < deadline, (
                f"never within {seconds:g} s: {script}; {self.complaints}"
            )
            self.pause(0.05)
        return value

    def text(self, element: str) -> str:
        return self.run(f"document.getElementById({element!r}).textContent")
