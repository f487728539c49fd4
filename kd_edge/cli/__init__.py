"""The command line: options and wiring only; heavy imports stand inside the commands."""

from __future__ import annotations

import json
import sys

import click

from kd_edge import __version__
from kd_edge.cli.bench import bench
from kd_edge.cli.build import build
from kd_edge.cli.data import data
from kd_edge.cli.doctor import doctor
from kd_edge.errors import ExitStatus, KdEdgeError

EPILOG = """
Exit status: 0 done, 1 a defect of kd-edge, 2 bad usage, 3 bad data, 4 a missing tool or package,
5 a board that does not answer, 6 a gate that failed, 130 interrupted.
"""


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kd-edge")
def cli() -> None:
    """Distill sign and gesture recognisers, convert them to TFLite and C, and prove the result.

    \b
    Start here:
      kd-edge doctor                                  what is installed
      kd-edge data inspect PATH                       what is in your recordings
      kd-edge build recipes/demo.toml --out build/demo
      kd-edge bench build/demo                        size, latency, accuracy
    """


for command in (build, bench, data, doctor):
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    sys.exit(int(run(arguments)))


def run(arguments: list[str]) -> int:
    """Run one command; errors become messages and exit statuses, tracebacks need --debug."""
    as_json, debug = "--json" in arguments, "--debug" in arguments
    try:
        status = cli.main(arguments, prog_name="kd-edge", standalone_mode=False)
        return status if isinstance(status, int) else ExitStatus.OK
    except KdEdgeError as error:
        if debug:
            raise
        _show(error, as_json=as_json)
        return error.exit_status
    except click.ClickException as error:
        error.show()
        return ExitStatus.USAGE
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; the same command goes on from here", err=True)
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; that is not an error of ours.
        sys.stdout = None
        return ExitStatus.OK
    except Exception as error:
        if debug:
            raise
        click.echo(
            f"internal error: {type(error).__name__}: {error}\n"
            "  hint:  this is a defect of kd-edge; report what --debug prints",
            err=True,
        )
        return ExitStatus.INTERNAL


def _show(error: KdEdgeError, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"error": error.to_json()}, ensure_ascii=False, indent=1))
    else:
        click.echo(f"error {error}", err=True)
