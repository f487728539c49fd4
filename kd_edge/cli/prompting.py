"""A prompted recording in the terminal: a big word, and keys that are read at once."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from kd_edge.cli.printing import console, printable, say
from kd_edge.live.prompted import PAUSE, QUIT, SKIP, UNDO

_KEYS = {"u": UNDO, "s": SKIP, " ": PAUSE, "q": QUIT}
_TWO_CODES = (b"\x00", b"\xe0")  # an arrow or a function key begins so on Windows
_WORDS = {
    "look": "keep still", "ready": "next", "perform": "NOW", "rest": "rest", "pause": "paused",
    "wait": "waiting for a marker",
}  # fmt: skip


@contextlib.contextmanager
def screen() -> Iterator[Lines]:
    """The terminal as a screen; where it is none, a line for each phase, and no keys."""
    with keys() as key:
        if console().is_terminal:
            with Picture(key) as shown:
                yield shown
        else:
            yield Lines(key)


class Lines:
    """A line for each phase."""

    def __init__(self, key):
        self._key = key
        self._shown: tuple | None = None

    def show(self, phase, prompt, left_s, progress) -> None:
        shown = (phase, prompt, progress.kept)
        if shown == self._shown:
            return
        self._shown = shown
        label = f" {printable(prompt.label)}" if prompt is not None else ""
        say(f"{progress.words}  {_WORDS[phase]}{label}")

    def tell(self, what: str) -> None:
        say(printable(what))

    def key(self) -> str | None:
        return _KEYS.get(self._key())


class Picture(Lines):
    """The sign in the middle, the time that is left, and how far the session is."""

    def __enter__(self) -> Picture:
        from rich.live import Live

        self._live = Live(console=console(), auto_refresh=False, transient=True)
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, phase, prompt, left_s, progress) -> None:
        from rich.align import Align
        from rich.panel import Panel
        from rich.text import Text

        style = {"perform": "bold green", "ready": "bold"}.get(phase, "dim")
        label = prompt.label if prompt is not None else ""
        text = Text(f"\n{_WORDS[phase]}\n\n{label}\n\n{left_s:.1f} s\n", style, justify="center")
        title = f"{progress.words} recorded, {progress.unfit} not fit"
        keys = "u undo   s later   space pause   q end"
        self._live.update(Panel(Align.center(text), title=title, subtitle=keys), refresh=True)

    def tell(self, what: str) -> None:
        from rich.text import Text

        self._live.console.print(Text(what))


@contextlib.contextmanager
def keys() -> Iterator:
    """What gives the key that was pressed, or ''."""
    if not sys.stdin.isatty():
        yield lambda: ""
        return
    try:
        import termios
        import tty
    except ImportError:
        yield _windows_key
        return
    import select

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield lambda: sys.stdin.read(1) if select.select([sys.stdin], [], [], 0)[0] else ""
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _windows_key() -> str:
    import msvcrt

    if not msvcrt.kbhit():
        return ""
    key = msvcrt.getch()
    if key in _TWO_CODES:
        if msvcrt.kbhit():  # the second one of Ctrl-Left is an 's'; a letter alone has none
            msvcrt.getch()
        return ""
    return key.decode("ascii", "ignore")
