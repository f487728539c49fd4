"""The command line: options and wiring only; heavy imports stand inside the commands."""

from __future__ import annotations

import errno
import json
import signal
import sys

import click

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.base.version import __version__
from kd_edge.cli.bench import bench
from kd_edge.cli.board import board
from kd_edge.cli.build import build
from kd_edge.cli.compile import compile_command
from kd_edge.cli.data import data
from kd_edge.cli.doctor import doctor
from kd_edge.cli.eval import evaluate
from kd_edge.cli.firmware import firmware
from kd_edge.cli.flash import flash
from kd_edge.cli.init import init
from kd_edge.cli.live import live
from kd_edge.cli.personalise import personalise
from kd_edge.cli.phone import phone
from kd_edge.cli.printing import discard, say
from kd_edge.cli.profile import profile
from kd_edge.cli.record import record
from kd_edge.cli.results import results
from kd_edge.cli.search import search
from kd_edge.cli.selftest import selftest

STANDARD_OUTPUT = "standard output"
_FULL = (errno.ENOSPC, errno.EDQUOT)

EPILOG = """
Exit status: 0 done, 1 a defect of kd-edge, 2 bad usage, 3 bad data, 4 a missing tool or package,
5 a board that does not answer, 6 a gate that failed, 130 interrupted.
"""


class _Commands(click.Group):
    """Commands whose reader may go: click itself would end them with status 1."""

    def invoke(self, ctx: click.Context):
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            discard(sys.stdout)
            return ExitStatus.OK


@click.group(cls=_Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kd-edge")
def cli() -> None:
    """Distill sign and gesture recognisers, convert them to TFLite and C, and prove the result.

    \b
    Start here:
      kd-edge doctor                                  what is installed
      kd-edge data inspect PATH                       what is in your recordings
      kd-edge init PATH --out mine.toml               a first recipe for them
      kd-edge build recipes/demo.toml --out build/demo
      kd-edge bench build/demo                        size, latency, accuracy
      kd-edge compile model.tflite --out DIR          plain C from any int8 model
      kd-edge firmware build/demo --board nano33ble --out fw   a project for a board
      kd-edge phone build/demo --out phone            a page for a phone's browser
      kd-edge eval build/demo --board qemu-an386      the same answers on a board
    """


for command in (
    init,
    build,
    search,
    bench,
    personalise,
    results,
    compile_command,
    board,
    firmware,
    flash,
    phone,
    evaluate,
    selftest,
    profile,
    live,
    record,
    data,
    doctor,
):
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks ends no command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    _end_by_signals()
    sys.exit(int(run(arguments)))


def _end_by_signals() -> None:
    """SIGTERM and a closed terminal end as Ctrl-C does: boards are stopped, results written."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    # Windows has no SIGHUP; a closed console and Ctrl-Break come as SIGBREAK there.
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        # Whoever ignores it, as nohup does, is not overruled.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def run(arguments: list[str]) -> int:
    """Run one command; errors become messages and exit statuses, tracebacks need --debug."""
    as_json, debug = "--json" in arguments, "--debug" in arguments
    try:
        status = cli.main(
            arguments, prog_name="kd-edge", standalone_mode=False, obj=list(arguments)
        )
        sys.stdout.flush()
        return status if isinstance(status, int) else ExitStatus.OK
    except (KeyboardInterrupt, click.Abort):
        # What these did so far is kept.
        kept = arguments[:1] in (["build"], ["search"], ["results"]) or "--ablate" in arguments
        more = "; the same command goes on from here" if kept else ""
        say(f"interrupted{more}", err=True)
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; that is not an error of ours.
        discard(sys.stdout)
        return ExitStatus.OK
    except Exception as error:
        told = _told(error)
        if debug and not isinstance(error, click.ClickException):
            raise
        if told.where == STANDARD_OUTPUT:
            discard(sys.stdout)
        _show(told, error, as_json=as_json and told.where != STANDARD_OUTPUT)
        return told.exit_status


def _told(error: Exception) -> KdEdgeError:
    """Any error as one that says what, where and what to do."""
    if isinstance(error, KdEdgeError):
        return error
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "kd-edge"
        return KdEdgeError(
            "KD_USAGE", error.format_message(), where=command, hint=f"{command} --help"
        )
    if isinstance(error, OSError) and error.errno in _FULL and error.filename is None:
        return KdEdgeError(
            "KD_OUTPUT",
            f"cannot write: {error.strerror}",
            where=STANDARD_OUTPUT,
            hint="free some space where the output is sent",
        )
    return KdEdgeError(
        "KD_INTERNAL",
        f"{type(error).__name__}: {error}",
        hint="this is a defect of kd-edge; report what --debug prints",
    )


def _show(told: KdEdgeError, error: Exception, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"error": told.to_json()}, ensure_ascii=False, indent=1))
    elif isinstance(error, click.ClickException):
        error.show()
    else:
        say(f"error {told}", err=True)
