"""`kd-edge record`: signs, one after the other, as a folder that `build` takes."""

from __future__ import annotations

import contextlib
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
  kd-edge record --source trigno://HOST --prompts PICTURES --subject S1 --out rec --open
  kd-edge record --source COM3 --bundle build/isl --prompts signs.txt --subject S1 --out rec
  kd-edge record --source lsl://EMG --markers Experiment --subject S1 --out recordings
  kd-edge data inspect recordings

PROMPTS has one sign a line, or a sign and its picture (house, house.png); or it is a folder of
pictures, whose names are the signs. --open shows them on a page of this machine. Each is asked for
once in random order, then each again. Keys: u takes the last one back, s puts this one off, space
pauses, q ends. The same command goes on where an earlier one of the same subject and session ended.
With --markers each marker's text is the label of the --seconds that follow it.
"""

_LOOK_S = 2.0


@click.command(epilog=EPILOG)
@click.option(
    "--source", required=True, help="Where samples come from: trigno://HOST, a board's port, …"
)
@path_option("--bundle", help="What a board runs: names and units of its channels.")
@path_option("--prompts", help="A text file with one sign a line, or a folder of pictures.")
@click.option("--markers", help="A marker stream of LSL that says what is performed, and when.")
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
@click.option("--page", is_flag=True, help="Show the prompts on a page of this machine as well.")
@click.option("--http-port", type=click.IntRange(0, 65535), help="The page's port; a free one.")
@click.option("--open/--no-open", "open_page", default=False, help="Open the page in a browser.")
@click.option("--seed", type=int, help="The same seed, the same order.")
@common
def record(source: str, prompts: Path | None, out: Path, as_json: bool, **options) -> int:
    """Record signs from a live SOURCE, each as it is asked for, with its label."""
    from kd_edge.live import labels
    from kd_edge.live.prompts import ask_for, read_prompts
    from kd_edge.live.sources import open_source
    from kd_edge.live.sources.lsl_markers import LslMarkers
    from kd_edge.pipeline.live_student import load_student

    if prompts is None and options["markers"] is None:
        raise click.UsageError("give --prompts SIGNS, or --markers NAME, or both")
    known = None if options["bundle"] is None else load_student(options["bundle"]).known
    signs = {} if prompts is None else read_prompts(prompts)
    session = options["session"] or datetime.date.today().isoformat()
    done = labels.count(out, subject=options["subject"], session=session)
    asked = ask_for(signs, options["repetitions"], done, seed=options["seed"])
    if signs and not asked:
        say(f"all {options['repetitions']} repetitions of {len(signs)} signs are in {out} already")
        return ExitStatus.OK
    with contextlib.ExitStack() as stack:
        markers = None
        if options["markers"] is not None:
            markers = stack.enter_context(LslMarkers(options["markers"]))
        say(f"opening {source}", err=True)
        opened = stack.enter_context(open_source(source, known=known))
        more = _more(stack, options, pictures=any(signs.values()))
        done = record_session(opened, _asked(out, session, asked, options), more, markers)
    return _told(done, out, as_json=as_json)


def _more(stack: contextlib.ExitStack, options, *, pictures: bool) -> list:
    """Screens beside the terminal."""
    if options["page"] or options["open_page"] or options["http_port"] is not None:
        return [_page(stack, options)]
    if pictures:
        say("note: a terminal shows no pictures: --open shows them on a page", err=True)
    return []


def _page(stack: contextlib.ExitStack, options):
    """A page of the session, and its server; both end with the stack."""
    from kd_edge.live.prompt_page import PromptPage, prompt_page
    from kd_edge.live.server import PageServer

    page = PromptPage()
    title = f"Signs of {options['subject']}"
    server = PageServer(page, prompt_page(title), port=options["http_port"] or 0, press=page.press)
    stack.callback(server.close)
    say(f"page: {server.url}", err=True)
    if options["open_page"]:
        click.launch(server.url)
    return page


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


def _told(done, out: Path, *, as_json: bool) -> int:
    progress = done.progress
    if as_json:
        content = {
            "out": str(out), "kept": progress.kept, "asked": progress.wanted,
            "unfit": progress.unfit, "undone": progress.undone, "why": done.why,
        }  # fmt: skip
        click.echo(json.dumps(content, ensure_ascii=False))
    else:
        say(f"{out}: {progress.words} recorded; {done.why}")
    if done.error is not None:
        raise done.error
    return ExitStatus.OK


def record_session(source, asked, more=(), markers=None):
    """A prompted recording in the terminal, after a look at the signals; how it ended.

    Args:
        more: screens beside the terminal; each is told of the end.
        markers: what names the signs, in place of prompts.

    Raises:
        KdEdgeError KD_BAD_SAMPLES: they are not fit to be recorded.
    """
    from kd_edge.cli.prompting import screen
    from kd_edge.live.marked import MarkedSession
    from kd_edge.live.prompted import Screens, Session

    for note in source.facts.notes:
        say(f"note: {note}", err=True)
    with screen() as shown:
        screens = Screens((shown, *more))
        if markers is None:
            session = Session(source, asked, screens)
        else:
            session = MarkedSession(source, asked, screens, markers)
        why = "an error"
        try:
            _look(session, screens, source, asked)
            done = session.run()
            why = done.why
            return done
        except KdEdgeError as error:
            why = str(error)
            raise
        finally:
            for each in more:
                each.end(why)


def _look(session, screens, source, asked) -> None:
    from kd_edge.live.prompted import names_of

    faults = session.look(_LOOK_S)
    if faults and not asked.anyway:
        raise KdEdgeError(
            "KD_BAD_SAMPLES",
            f"the signals are not fit to be recorded: {names_of(faults)}",
            where=source.facts.name,
            hint=f"{faults[0].hint}; --anyway records all the same",
        )
    for fault in faults:
        screens.tell(f"warning: {fault.channel}: {fault.what}")
