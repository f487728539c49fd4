"""`kd-edge personalise`."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import click

from kd_edge.cli.board_head import head_tree, say_head
from kd_edge.cli.options import PATH, common, options_of, path_option, reading_beside, typed_command
from kd_edge.cli.printing import say

# Of every sign, from --source.
_REPETITIONS = 2

EPILOG = """
\b
Examples:
  kd-edge personalise build/signs --data ANNS_RECORDINGS --out build/ann
  kd-edge personalise build/signs --source trigno://HOST --subject ann --repetitions 2
  kd-edge personalise build/signs --source /dev/ttyACM0 --subject ann
  kd-edge personalise build/signs --data EVERYBODYS --subject ann --repetitions 3
  kd-edge personalise build/signs --data ANNS_RECORDINGS --reader folder --json
  kd-edge personalise build/signs --data ANNS_RECORDINGS --out build/ann --port /dev/ttyACM0

The new layer is taken only if it decides held-out repetitions better than the old one, beyond
chance. If it does not, the new bundle keeps the old layer and says so; the exit status is 0 all
the same: what OUT holds is the better of the two.
"""


@click.command(epilog=EPILOG)
@click.argument("bundle", type=PATH)
@path_option("--data", help="Labelled recordings of the wearer.")
@click.option("--source", help="Live sensors instead: every sign is asked for and recorded first.")
@click.option("--in-order", is_flag=True, help="Take the source's channels by their order.")
@path_option("--record", help="Folder of what --source records; OUT-recordings otherwise.")
@click.option("--anyway", is_flag=True, help="Keep takes whose signals are not fit.")
@path_option("--out", help="Folder of the new bundle; BUNDLE-personal otherwise.")
@reading_beside
@click.option("--subject", help="Whose recordings, if --data holds several people's.")
@click.option(
    "--repetitions",
    type=click.IntRange(min=1),
    help="Learn from so many of each label, the first in time, and test on the later ones.",
)
@click.option(
    "--port",
    help="Serial port or URL of a board that runs BUNDLE: send it the wearer's layer as well.",
)
@common
def personalise(
    bundle: Path,
    data: Path | None,
    source: str | None,
    in_order: bool,
    record: Path | None,
    anyway: bool,
    out: Path | None,
    reader: str | None,
    option: tuple[str, ...],
    subject: str | None,
    repetitions: int | None,
    port: str | None,
    as_json: bool,
) -> None:
    """Give BUNDLE a last layer for one wearer, from a few labelled repetitions of each sign."""
    from kd_edge.cli.printing import printing
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.pipeline.personalise import personalise as run
    from kd_edge.pipeline.wearers_data import Wanted
    from kd_edge.report.json import to_json
    from kd_edge.report.table import print_table

    out = out or bundle.parent / f"{bundle.name}-personal"
    if (data is None) == (source is None):
        raise click.UsageError("give --data RECORDINGS, or --source to record them now")
    if source is not None:
        if subject is None:
            raise click.UsageError("--source records somebody: add --subject")
        data = record or out.parent / f"{out.name}-recordings"
        _ask(bundle, source, data, subject, repetitions or _REPETITIONS, in_order, anyway)
        reader, repetitions = "folder", None
    with TerminalWatch() as watch:
        report = run(
            bundle,
            wanted=Wanted(data, reader, options_of(option), subject, repetitions),
            out=out,
            command=typed_command(),
            watch=watch,
        )
        told = _send(out, port, lambda what: watch.step(what, None, None)) if port else None
    if as_json:
        click.echo(to_json(report))
        return
    with printing() as console:
        print_table(report, console)
        console.print(f"wrote {out}")
    if told is not None:
        say_head(told)


def _ask(
    bundle: Path,
    url: str,
    folder: Path,
    subject: str,
    repetitions: int,
    in_order: bool,
    anyway: bool,
) -> None:
    """Record what is missing of so many repetitions of every sign of the bundle."""
    from kd_edge.cli.record import record_session
    from kd_edge.live import labels
    from kd_edge.live.joining import AsTaken
    from kd_edge.live.prompted import Asked, Timing
    from kd_edge.live.prompts import ask_for
    from kd_edge.live.sources import open_source
    from kd_edge.pipeline.live_student import load_student

    student = load_student(bundle)
    session = datetime.date.today().isoformat()
    done = labels.count(folder, subject=subject, session=session)
    prompts = ask_for(dict.fromkeys(student.manifest.class_names), repetitions, done, seed=None)
    if not prompts:
        return
    say(f"opening {url}", err=True)
    with open_source(url, known=student.known) as opened:
        asked = Asked(
            folder=folder,
            subject=subject,
            session=session,
            prompts=tuple(prompts),
            timing=Timing(perform_s=student.shortest_s),
            anyway=anyway,
        )
        source = AsTaken(opened, student.host.front_end.streams, in_order=in_order)
        ended = record_session(source, asked)
    if ended.error is not None:
        raise ended.error
    say(
        f"{folder}: {ended.progress.words} recorded; {ended.why}",
        err=True,
    )


def _send(out: Path, port: str, tell: Callable[[str], None]) -> dict[str, object]:
    """To a board, before it is told: if that fails the bundle is there all the same."""
    from kd_edge.link.device import Device
    from kd_edge.pipeline.boards.head import set_head, wearers_head

    tell(f"opening {port}")
    with Device.open(port) as device:
        return head_tree(set_head(device, wearers_head(out), tell), device.hello.board)
