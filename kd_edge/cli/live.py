"""`kd-edge live`: the stream of a board or of sensors, shown while it runs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli.options import PATH, FiniteFloat, common, path_option
from kd_edge.cli.printing import printable, say

EPILOG = """
\b
Examples:
  kd-edge live build/isl --source file://trial_07.npz --events
  kd-edge live build/isl --port /dev/ttyACM0 --open
  kd-edge live build/isl --ble "kd-edge band" --plain
  kd-edge live build/isl --source trigno://HOST --port /dev/ttyACM0
  kd-edge live build/isl --board qemu-an386 --plain
  kd-edge live --port /dev/ttyACM0 --record RECORDINGS --label house --subject S1
  kd-edge live --port /dev/ttyACM0 --json --windows 100

With --source the bundle's student answers on this machine, and a board at --port is sent the same
inputs. With a board BUNDLE gives names, units and the host's own answers; without it classes are
numbers and samples counts. Ctrl-C ends the stream; what was recorded is kept.
"""


@dataclass(frozen=True)
class Asked:
    """The command's options that say what is shown and kept."""

    plain: bool
    events: bool
    as_json: bool
    http_port: int | None
    open_page: bool
    lsl_out: str | None
    correct: Path | None
    record: Path | None
    label: str | None
    subject: str
    session: str
    keep_state: bool

    @property
    def page(self) -> bool:
        """Whether a page is served: asked for, or nothing else is."""
        return self.open_page or self.http_port is not None or not self.in_terminal

    @property
    def in_terminal(self) -> bool:
        return self.plain or self.events or self.as_json


@click.command(epilog=EPILOG)
@click.argument("bundle", type=PATH, required=False)
@click.option(
    "--source", help="Sensors, whose windows BUNDLE's student answers here: file://REC.npz, …"
)
@click.option(
    "--in-order", is_flag=True, help="Take the source's channels by order, if their names differ."
)
@click.option("--port", help="Where the board is: anything that pyserial opens.")
@click.option(
    "--ble", metavar="NAME", help="A band over Bluetooth instead: the name that it advertises, or "
    "its address. --port ble://NAME is the same, here and in every command.",
)  # fmt: skip
@click.option("--board", help="An emulated board instead, which plays the bundle's own windows.")
@click.option(
    "--baud", type=click.IntRange(min=1), help="The port's speed; the usual ones otherwise."
)
@click.option("--reset", default="none", help="How the board is reset first; none by default.")
@click.option(
    "--hop",
    "hop_s",
    type=FiniteFloat(min=0, min_open=True),
    help="Seconds from window to window of a source or an emulated board; the recipe's, or a "
    "quarter of a window.",
)
@click.option(
    "--keep-columns",
    "keeps",
    is_flag=True,
    help="The network keeps what windows that overlap share; the answers are the same.",
)
@click.option("--runtime", help="The runtime that answers on the host; the oracle for a board.")
@click.option("--plain", is_flag=True, help="Show it in the terminal; a line a window in a pipe.")
@click.option(
    "--events", is_flag=True, help="A line for each onset alone: when, which sign, how sure."
)
@click.option("--lsl-out", help="Send scores and events by the Lab Streaming Layer, as NAME.")
@click.option("--http-port", type=click.IntRange(0, 65535), help="The page's port; a free one.")
@click.option("--open/--no-open", "open_page", default=False, help="Open the page in a browser.")
@path_option("--record", help="A folder, or NAME.npz: keep the samples as a recording.")
@path_option("--correct", help="A folder: keys label onsets, whose samples are kept there.")
@click.option("--label", help="What is performed; 'unlabelled' otherwise.")
@click.option("--subject", default="", help="Who performs it.")
@click.option("--session", default="", help="On which day, or how mounted.")
@click.option("--windows", type=click.IntRange(min=1), help="End after so many predictions.")
@click.option("--seconds", type=FiniteFloat(min=0, min_open=True), help="End after so long.")
@click.option("--keep-state", is_flag=True, help="Let the model's state run on between windows.")
@path_option("--recover", help="Finish a recording that a crash left as NAME.npz.part, and end.")
@common
def live(
    bundle,
    source,
    in_order,
    port,
    ble,
    board,
    baud,
    reset,
    hop_s,
    keeps,
    runtime,
    windows,
    seconds,
    recover,
    **asked,
) -> int:
    """Show what a board or a source streams: signals, predictions, events, losses, latency."""
    from kd_edge.link.bluetooth import PREFIX
    from kd_edge.live.loop import Limits
    from kd_edge.pipeline.live_board import LiveReach

    if ble is not None:
        if port is not None:
            raise click.UsageError("--ble and --port both say where the board is: take one")
        port = PREFIX + ble
    if recover is not None:
        return _recover(recover, as_json=asked["as_json"])
    options = Asked(**asked)
    _check(options)
    limits = Limits(windows=windows, seconds=seconds)
    if source is None:
        reach = LiveReach(board=board, port=port, baud=baud, reset=reset, hop_s=hop_s, keeps=keeps)
        opened = _board(bundle, reach, runtime)
    elif board is not None or bundle is None:
        raise click.UsageError("--source takes a BUNDLE, and no --board beside it")
    else:
        opened = _source(
            bundle, source, runtime, hop_s=hop_s, in_order=in_order,
            port=port, baud=baud, reset=reset,
        )  # fmt: skip
    if not options.as_json:
        return _run(opened, options, limits)
    try:
        return _run(opened, options, limits)
    except KdEdgeError as error:
        # One object a line, the error too.
        _print_json({"event": "error", "error": error.to_json()})
        return error.exit_status


def _check(options: Asked) -> None:
    named = options.label or options.subject or options.session
    if named and options.record is None and options.correct is None:
        raise click.UsageError("--label, --subject and --session are of a recording: add --record")
    if options.correct is not None and not sys.stdin.isatty():
        raise click.UsageError("--correct reads keys: run it in a terminal")
    if options.plain + options.as_json + options.events > 1:
        raise click.UsageError("--plain, --events and --json all fill the terminal: take one")


@contextlib.contextmanager
def _source(
    bundle_path: Path,
    url: str,
    runtime: str | None,
    *,
    hop_s: float | None,
    in_order: bool,
    port: str | None,
    baud: int | None,
    reset: str,
) -> Iterator:
    """The bundle's student behind an open source, its facts, and no host beside it.

    A board behind `port` is sent the student's inputs, and its answers stand beside the student's.
    """
    from kd_edge.link.device import Device
    from kd_edge.live.sources import open_source
    from kd_edge.pipeline.live_student import load_student

    bundle = load_student(bundle_path, hop_s=hop_s, runtime=runtime)
    with contextlib.ExitStack() as stack:
        board = None
        if port is not None:
            _tell(f"opening {port}")
            sha256 = bundle.model_sha256
            device = Device.open(port, baud=baud, reset=reset, model_sha256=sha256, tell=_tell)
            board = stack.enter_context(device)
        _tell(f"opening {url}")
        source = stack.enter_context(open_source(url, known=bundle.known))
        student, facts = bundle.student(source, url, in_order=in_order, board=board)
        for note in (*source.facts.notes, *student.notes):
            _tell(f"note: {note}")
        yield student, facts, None


@contextlib.contextmanager
def _board(bundle_path: Path | None, reach, runtime: str | None) -> Iterator:
    """An open board, its facts, and the bundle's model on this machine beside it."""
    from kd_edge.live.facts import facts_of
    from kd_edge.live.host import Host
    from kd_edge.pipeline.boards.bundle_image import load_board_bundle
    from kd_edge.pipeline.live_board import check_sensors, open_live
    from kd_edge.runtimes.registry import ORACLE

    bundle = None if bundle_path is None else load_board_bundle(bundle_path)
    host, known = None, {}
    if bundle is not None:
        check_sensors(bundle)
        rule = bundle.manifest.decision
        front_end = bundle.manifest.front_end
        host = Host(bundle.product, front_end, rule=rule, runtime=runtime or ORACLE)
        known = {
            "classes": bundle.manifest.class_names,
            "front_end": host.front_end,
            "temperature": rule.temperature if rule else 1.0,
            "title": bundle.manifest.title,
            "host": host.name,
            "synthetic": bundle.manifest.synthetic,
        }
    with open_live(bundle, reach, tell=_tell) as (device, port):
        yield device, facts_of(device.hello, reach.board or port, **known), host


def _run(opened, options: Asked, limits) -> int:
    """Args: opened: a context of what streams, its facts, and who answers beside it."""
    from kd_edge.live.loop import LiveLoop

    with opened as (streamer, known, host), _recording(options, known) as recorder:
        facts = replace(known, recording=None if recorder is None else str(recorder.target))
        with _views(options, facts) as views:
            loop = LiveLoop(
                streamer, facts, host=host, recorder=recorder, views=views,
                keep_state=options.keep_state,
            )  # fmt: skip
            summary = loop.run(limits)
    if not options.as_json:
        _print_summary(summary, facts)
    if summary.error is not None:
        raise summary.error
    return ExitStatus.OK


@contextlib.contextmanager
def _recording(options: Asked, facts) -> Iterator:
    """A recorder that is finished however the block ends; None where nothing is recorded."""
    from kd_edge.live.recorder import UNLABELLED, Recorder

    if options.record is None:
        yield None
        return
    recorder = Recorder(
        options.record,
        facts,
        label=options.label or UNLABELLED,
        subject=options.subject,
        session=options.session,
    )
    try:
        yield recorder
    finally:
        _print_recorded(recorder.finish(), as_json=options.as_json)


@contextlib.contextmanager
def _views(options: Asked, facts) -> Iterator[list]:
    """What shows the live run, for as long as the block lasts."""
    from kd_edge.cli.printing import console
    from kd_edge.live.plain import Events, JsonLines, Lines, Picture

    with contextlib.ExitStack() as stack:
        views: list = []
        url = None
        if options.page:
            url = _serve(stack, views, facts, options)
        if options.as_json:
            views.append(JsonLines(_print_line))
            views[-1].start(facts, page=url)
        elif options.events:
            views.append(Events(facts, lambda line: _print_line(printable(line))))
        elif options.plain and console().is_terminal:
            views.append(stack.enter_context(Picture(facts, console())))
        elif options.plain:
            views.append(Lines(facts, lambda line: _print_line(printable(line))))
        if options.correct is not None:
            views.append(stack.enter_context(_corrections(options, facts)))
        if options.lsl_out is not None:
            from kd_edge.live.lsl_out import LslOut

            views.append(LslOut(options.lsl_out, facts))
        if url is not None and not options.as_json:
            say(f"page: {url}\nCtrl-C ends the stream.")
        if options.open_page:
            click.launch(url)
        yield views


@contextlib.contextmanager
def _corrections(options: Asked, facts) -> Iterator:
    from kd_edge.cli.prompting import keys
    from kd_edge.live.correcting import Corrections

    who = {"subject": options.subject, "session": options.session}
    with keys() as key:
        yield Corrections(
            facts, options.correct, key=key, tell=lambda what: say(printable(what)), **who
        )


def _serve(stack: contextlib.ExitStack, views: list, facts, options: Asked) -> str:
    from kd_edge.live.feed import Feed
    from kd_edge.live.server import PageServer, live_page

    feed = Feed(facts)
    server = PageServer(feed, live_page(facts), port=options.http_port or 0)
    stack.callback(server.close)
    views.append(feed)
    return server.url


def _recover(folder: Path, *, as_json: bool) -> int:
    from kd_edge.live.recorder import recover

    _print_recorded(recover(folder), as_json=as_json)
    return ExitStatus.OK


def _print_recorded(recorded, *, as_json: bool) -> None:
    if as_json:
        _print_json({"event": "recorded"} | recorded.to_json())
    elif recorded.path is None:
        say("recorded nothing: no sample came")
    else:
        rows = f", {recorded.rows} rows in labels.csv" if recorded.rows else ""
        gaps = "no gap" if not recorded.gaps else f"{recorded.gaps} gaps"
        say(f"recorded {recorded.seconds:.1f} s to {recorded.path}: {gaps}{rows}")


def _print_summary(summary, facts) -> None:
    from kd_edge.live.plain import figure_lines

    where = "" if facts.port == facts.board else f" on {facts.port}"
    say(f"{facts.board}{where}: {summary.why}")
    for line in figure_lines(summary.figures, facts):
        say(line)


def _print_json(content: dict) -> None:
    import json

    _print_line(json.dumps(content, ensure_ascii=False))


def _print_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _tell(what: str) -> None:
    say(what, err=True)
