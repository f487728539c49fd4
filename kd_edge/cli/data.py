"""`kd-edge data`: looking at recordings, converting them, and making synthetic ones."""

from __future__ import annotations

from pathlib import Path

import click

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.cli.options import (
    PATH,
    FiniteFloat,
    check_output,
    common,
    no_cache,
    options_of,
    path_option,
    reading,
)
from kd_edge.cli.printing import say


@click.group()
def data() -> None:
    """Look into recordings, convert them, or make synthetic ones."""


@data.command(
    epilog="\b\nExamples:\n  kd-edge data inspect trial_07.csv\n"
    "  kd-edge data inspect RECORDINGS --plot signals.png\n"
    "  kd-edge data inspect RECORDINGS --reader folder --json\n"
    "  kd-edge data inspect IMAGES --plot contact-sheet.png\n"
    "  kd-edge data inspect scenes.npz --option parts=train,test --option ignore=11"
)
@click.argument("path", type=PATH)
@reading
@path_option("--plot", help="Draw the first recordings, or images of each class, into this PNG.")
@common
def inspect(
    path: Path, reader: str | None, option: tuple[str, ...], plot: Path | None, as_json: bool
) -> None:
    """Say what is in PATH: streams, rates, units, gaps, classes, subjects, duplicates.

    Of images: sizes, classes, copies, and pictures that look alike.
    """
    from kd_edge.cli.printing import printing
    from kd_edge.images import READERS, reader_of
    from kd_edge.report.inspection import print_inspection
    from kd_edge.signals import READERS as SIGNAL_READERS
    from kd_edge.signals import inspect as inspecting
    from kd_edge.signals import read

    check_output(plot, "--plot", (".png",))
    if reader is not None and reader not in READERS and reader not in SIGNAL_READERS:
        every = [*SIGNAL_READERS, *READERS]
        raise KdEdgeError(
            "KD_UNKNOWN_NAME",
            f"there is no reader '{reader}'{nearest(reader, every)}",
            where="--reader",
            hint=f"readers: {', '.join(every)}",
        )
    of_images = reader if reader in READERS else reader_of(path) if reader is None else None
    if of_images is not None:
        _inspect_images(path, of_images, options_of(option), plot, as_json)
        return
    recordings = read(path, reader, **options_of(option))
    inspection = inspecting.inspect_recordings(recordings, path)
    with printing() as console:
        if as_json:
            click.echo(inspecting.to_json(inspection))
        else:
            print_inspection(inspection, console)
    if plot:
        inspecting.plot(recordings, plot)
        say(f"picture: {plot}", err=True)


@data.command(
    epilog="\b\nExamples:\n  kd-edge data convert trial.delsys --to npz --out converted\n"
    "  kd-edge data convert RECORDINGS --to xdf --out for-labrecorder\n"
    "  kd-edge data convert ninapro --reader ninapro --to npz --out db2"
)
@click.argument("path", type=PATH)
@click.option("--to", "form", required=True, help="discover-csv, npz or xdf.")
@path_option("--out", required=True, help="New folder: a file a recording, and labels.csv.")
@reading
@common
def convert(
    path: Path, form: str, out: Path, reader: str | None, option: tuple[str, ...], as_json: bool
) -> None:
    """Write the recordings in PATH as files of another format.

    npz keeps everything. xdf keeps samples, names, units and times. discover-csv keeps rates to
    0.0001 Hz and samples to seven decimals (volts become millivolts), and takes only streams that
    begin together. labels.csv says what each file is, where the recordings have labels.
    """
    import json
    from dataclasses import asdict

    from kd_edge.cli.printing import printing
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.signals import read
    from kd_edge.signals.convert import WRITERS, write_folder

    writer = WRITERS.find(form, where="--to")
    with TerminalWatch() as watch:
        watch.step("reading recordings", None, None)
        recordings = read(path, reader, **options_of(option))
        done = write_folder(
            recordings, out, writer, progress=lambda d, n: watch.step("writing files", d, n)
        )
    with printing():
        if as_json:
            click.echo(json.dumps({"folder": str(out), "format": form, **asdict(done)}))
            return
        unnamed = done.recordings - done.labelled
        named = f"{unnamed} without a label, not in labels.csv" if unnamed else "and labels.csv"
        say(f"{out}: {done.recordings} recordings as {form}, {named}")


def _inspect_images(
    path: Path, reader: str, options: dict[str, object], plot: Path | None, as_json: bool
) -> None:
    import importlib.util
    import json
    from dataclasses import asdict

    from kd_edge.cli.printing import printing
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.images import READERS
    from kd_edge.images.inspect import inspect_images, write_sheet
    from kd_edge.report.inspection import print_image_inspection
    from kd_edge.signals import check_options

    check_options(READERS[reader], options)
    near = importlib.util.find_spec("imagehash") is not None
    with TerminalWatch() as watch:
        inspection, sheet = inspect_images(
            READERS[reader].read(path, **options),
            path,
            near=near,
            progress=lambda done, total: watch.step("images", done, total),
        )
    with printing() as console:
        if as_json:
            click.echo(json.dumps(asdict(inspection), indent=2, ensure_ascii=False))
        else:
            print_image_inspection(inspection, console)
    if not near:
        say("pip install 'kd-edge[images]' finds near duplicates too", err=True)
    if plot:
        write_sheet(sheet, plot)
        say(f"picture: {plot}", err=True)


@data.command(
    epilog="\b\nExamples:\n  kd-edge data simulate signs\n"
    "  kd-edge data simulate signs --signs 10 --subjects 4 --repetitions 12 --seed 7\n"
    "  kd-edge data simulate day --rests 1 --unknown 2 --streams 1\n"
    "  kd-edge data inspect signs"
)
@click.argument("folder", type=PATH)
@click.option("--signs", default=5, show_default=True, help="Classes.")
@click.option("--subjects", default=3, show_default=True, help="People.")
@click.option("--repetitions", default=6, show_default=True, help="Of each sign by each person.")
@click.option("--sessions", default=2, show_default=True, help="Days that they are dealt out to.")
@click.option("--sensors", default=3, show_default=True, help="Each with sEMG and IMU.")
@click.option("--unknown", default=0, help="Movements that are no sign, made as often.")
@click.option("--rests", default=0, help="Recordings of the arm at rest, as often.")
@click.option(
    "--streams",
    type=click.IntRange(0, 99),
    default=0,
    help="Continuous recordings of each person, with rest in them.",
)
@click.option("--seed", default=1, show_default=True, help="The same seed, the same signs.")
@common
def simulate(folder: Path, as_json: bool, seed: int, streams: int, **numbers: int) -> None:
    """Write SYNTHETIC signs into FOLDER: Trigno Discover CSV files and a labels.csv.

    They show how the tool works, and nothing of how well it reads people. The reader 'folder' reads
    them back; a recipe may also simulate without files (dataset.reader = "synthetic"). Movements
    that are no sign are labelled 'unknown 01' and so on, the arm at rest 'rest'; in a continuous
    recording, labels.csv says what happens from when to when.
    """
    import json

    from kd_edge.cli.printing import printing
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.signals.simulate import SignSettings
    from kd_edge.signals.simulate.writing import write_signs

    settings = SignSettings(seed=seed, **{f"n_{name}": number for name, number in numbers.items()})
    with TerminalWatch() as watch:
        n = write_signs(settings, folder, n_streams=streams, progress=watch.step)
    with printing():
        if as_json:
            click.echo(json.dumps({"folder": str(folder), "recordings": n, "synthetic": True}))
        else:
            say(f"{folder}: {n} SYNTHETIC recordings, and labels.csv")


@data.command(
    epilog="\b\nExamples:\n  kd-edge data windows recipes/mine.toml --data RECORDINGS\n"
    "  kd-edge data windows recipes/mine.toml --fold S3 --out s3.npz"
)
@click.argument("recipe", type=PATH)
@path_option("--data", help="Folder or file of recordings; the recipe's dataset.path otherwise.")
@path_option("--out", help="NPZ file to write; windows.npz otherwise.")
@click.option("--fold", help="Subject or session that the only fold to write holds out.")
@no_cache
@common
def windows(
    recipe: Path, data: Path | None, out: Path | None, fold: str | None, no_cache: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Write the windows of RECIPE for another program, each with its hash.

    A teacher of another program, such as PyTorch, answers them. A file of its logits with these
    hashes teaches a student: [[teachers]] file = "logits.npz". Train it on the windows of part
    'train' alone.
    """
    from kd_edge.cli.printing import printing
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.pipeline.export_windows import export_windows
    from kd_edge.recipe import load_recipe

    asked = load_recipe(recipe)
    out = out or Path("windows.npz")
    check_output(out, "--out", (".npz",))
    if data is None and asked.dataset.path is not None:
        data = recipe.parent / asked.dataset.path
    with TerminalWatch() as watch:
        done = export_windows(asked, data=data, out=out, fold=fold, cache=not no_cache, watch=watch)
    with printing():
        if as_json:
            click.echo(done.to_json())
            return
        for name, parts in done.parts.items():
            counts = ", ".join(f"{part} {n:,}" for part, n in parts.items())
            say(f"{name}: {counts}")
        say(f"{done.windows:,} windows: {out}")


@data.command(
    name="serve-trigno",
    epilog="\b\nExamples:\n  kd-edge data serve-trigno trial_07.npz\n"
    "  kd-edge data serve-trigno trial_07.npz --fault disconnect:20\n"
    "  kd-edge live build/signs --source trigno://127.0.0.1",
)
@click.argument("recording", type=PATH)
@click.option("--reader", help="Name of the reader; found from the file otherwise.")
@click.option("--listen", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--ports",
    default="50040,50043,50044",
    show_default=True,
    help="Of commands, sEMG and AUX; 0 takes a free one.",
)
@click.option("--fault", help="What goes wrong: NAME:SECONDS; see below.")
@click.option("--once", is_flag=True, help="Fall silent after the recording; else begin it anew.")
@click.option("--seconds", type=FiniteFloat(min=0, min_open=True), help="End after so long.")
@click.option("--pieces", type=int, help="Cut TCP's pieces at random, with this seed.")
@common
def serve_trigno(recording: Path, as_json: bool, **asked) -> None:
    """Be a Delsys Trigno base that streams RECORDING, so that everything can be tried without one.

    Clients speak the base's real protocol with it. Faults: disconnect, half-frame, mode, stall,
    SECONDS after START; late-stop goes on for SECONDS after STOP.
    """
    from kd_edge.cli.serving import serve_trigno as serve

    serve(recording, as_json=as_json, **asked)
