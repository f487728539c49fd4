"""`kd-edge record`: signs, one after the other, as a folder that `build` takes."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import click

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli.options import FiniteFloat, common, path_option
from kd_edge.cli.printing import say

EPILOG = """
\b
Examples:
  kd-edge record --source trigno://HOST --prompts signs.txt --subject S1 --out recordings
  kd-edge record --source file://REC.npz --prompts signs.txt --subject S1 --out recordings
  kd-edge record --source trigno://HOST --prompts signs.txt --subject S1 --out rec --keep-rest
  kd-edge data inspect recordings

PROMPTS has one sign a line. Each is asked for once in random order, then each again. Keys: u takes
the last one back, s puts this one off, space pauses, q ends. The same command goes on where an
earlier one of the same subject and session ended.
"""

_LOOK_S = 2.0


@click.command(epilog=EPILOG)
@click.option("--source", required=True, help="Where samples come from: trigno://HOST, …")
@path_option("--prompts", required=True, help="A text file with one sign a line.")
@path_option("--out", required=True, help="Folder of the recordings and their labels.csv.")
@click.option("--subject", required=True, help="Who performs.")
@click.option("--session", help="On which day, or how mounted; today's date otherwise.")
@click.option("--repetitions", type=click.IntRange(1, 1000), default=5, show_default=True)
@click.option("--ready", default=2.0, show_default=True, type=FiniteFloat(min=0), help="Seconds.")
@click.option(
    "--seconds", default=3.0, show_default=True, type=FiniteFloat(min=0.1), help="Of a sign."
)
@click.option("--rest", default=1.5, show_default=True, type=FiniteFloat(min=0), help="Seconds.")
@click.option("--keep-rest", is_flag=True, help="Record the rests too, as the class 'rest'.")
@click.option("--mains", type=click.Choice(["50", "60"]), default="50", help="Hz, for its hum.")
@path_option("--like", help="A recording whose sensors are expected; the folder's last otherwise.")
@click.option("--anyway", is_flag=True, help="Keep takes whose signals are not fit.")
@click.option("--seed", type=int, help="The same seed, the same order.")
@common
def record(source: str, prompts: Path, out: Path, as_json: bool, **options) -> int:
    """Record signs from a live SOURCE, each as it is asked for, with its label."""
    from kd_edge.live import labels
    from kd_edge.live.prompts import ask_for, read_prompts
    from kd_edge.live.sources import open_source

    signs = read_prompts(prompts)
    session = options["session"] or datetime.date.today().isoformat()
    done = labels.count(out, subject=options["subject"], session=session)
    asked = ask_for(signs, options["repetitions"], done, seed=options["seed"])
    if not asked:
        say(f"all {options['repetitions']} repetitions of {len(signs)} signs are in {out} already")
        return ExitStatus.OK
    say(f"opening {source}", err=True)
    with open_source(source) as opened:
        return _record(opened, _asked(out, session, asked, options), as_json=as_json)


def _asked(out: Path, session: str, asked, options):
    from kd_edge.live.order import expected_streams
    from kd_edge.live.prompted import Asked, Timing

    return Asked(
        folder=out,
        subject=options["subject"],
        session=session,
        prompts=tuple(asked),
        timing=Timing(options["ready"], options["seconds"], options["rest"]),
        keep_rest=options["keep_rest"],
        mains_hz=float(options["mains"]),
        anyway=options["anyway"],
        expected=expected_streams(out, options["like"]),
    )


def _record(source, asked, *, as_json: bool) -> int:
    done = record_session(source, asked)
    progress = done.progress
    if as_json:
        content = {
            "out": str(asked.folder), "kept": progress.kept, "asked": progress.wanted,
            "unfit": progress.unfit, "undone": progress.undone, "why": done.why,
        }  # fmt: skip
        click.echo(json.dumps(content, ensure_ascii=False))
    else:
        say(f"{asked.folder}: {progress.kept} of {progress.wanted} recorded; {done.why}")
    if done.error is not None:
        raise done.error
    return ExitStatus.OK


def record_session(source, asked):
    """A prompted recording in the terminal, after a look at the signals; how it ended.

    Raises:
        KdEdgeError KD_BAD_SAMPLES: they are not fit to be recorded.
    """
    from kd_edge.cli.prompting import screen
    from kd_edge.live.prompted import Session, names_of

    for note in source.facts.notes:
        say(f"note: {note}", err=True)
    with screen() as shown:
        session = Session(source, asked, shown)
        faults = session.look(_LOOK_S)
        if faults and not asked.anyway:
            raise KdEdgeError(
                "KD_BAD_SAMPLES",
                f"the signals are not fit to be recorded: {names_of(faults)}",
                where=source.facts.name,
                hint=f"{faults[0].hint}; --anyway records all the same",
            )
        for fault in faults:
            shown.tell(f"warning: {fault.channel}: {fault.what}")
        return session.run()
