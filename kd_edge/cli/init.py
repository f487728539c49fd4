"""`kd-edge init`: a first recipe from what the recordings say."""

from __future__ import annotations

from pathlib import Path

import click

from kd_edge.cli.options import PATH, check_output, common, options_of, path_option, reading
from kd_edge.cli.printing import say


@click.command(
    epilog="\b\nExamples:\n  kd-edge init recordings --out mine.toml\n"
    "  kd-edge init session.mat --option rate_hz=1000 --out mine.toml\n"
    "  kd-edge build mine.toml --quick --out build/mine"
)
@click.argument("path", type=PATH)
@path_option("--out", required=True, help="Recipe to write; a file that is there is kept.")
@reading
@common
def init(path: Path, out: Path, reader: str | None, option: tuple[str, ...], as_json: bool) -> None:
    """Look at the recordings in PATH and write a first recipe, each line with why.

    It proposes modalities, front end, window length, the most honest split that the recordings
    allow, augmentation, a teacher and two students. The recipe is yours then: change it.
    """
    import json

    from kd_edge.base.errors import KdEdgeError
    from kd_edge.base.files import write_text
    from kd_edge.cli.printing import printing
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.pipeline.proposing.propose import propose
    from kd_edge.signals import find_reader, read

    check_output(out, "--out", (".toml",))
    if out.exists():
        raise KdEdgeError(
            "KD_OUTPUT",
            f"{out.name} is there already, and a recipe of yours is never overwritten",
            where=str(out),
            hint="name another file with --out",
        )
    options = options_of(option)
    with TerminalWatch() as watch:
        watch.step("reading recordings", None, None)
        name = reader or find_reader(path).name
        recordings = read(path, name, **options)
        watch.step("looking at them", None, None)
        made = propose(recordings, reader=name, options=options, data=path, out=out)
    write_text(out, made.text)
    with printing():
        if as_json:
            said = {"recipe": str(out), "reader": name, "split": made.split.name}
            click.echo(json.dumps(said))
            return
        say(f"{out}: a recipe for {made.recipe.summary}; tested on: {made.split.name}")
        say(f"next: kd-edge build {out} --quick --out build/{made.recipe.name}")
