"""`kd-edge compile`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import click

from firmware_export.aot.cores import CORES, HOST, SIZE, SPEED
from kd_edge.base.version import __version__
from kd_edge.cli.options import PATH, SHARE, common, path_option
from kd_edge.cli.printing import say

EPILOG = """
\b
Examples:
  kd-edge compile student.int8.tflite --out firmware/model
  kd-edge compile student.int8.tflite --out firmware/model --core m4 --report
  kd-edge compile model.tflite --out model --core m55 --optimize speed --prefix wake
  kd-edge compile student.int8.tflite --out firmware/model --hop 96/400

Without --core the C is portable: it builds and runs anywhere, and is slower on a Cortex-M with DSP
extension or Helium than what --core m4, m7, m33 or m55 gives. docs/plain-c.md lists the operators.
"""


@click.command("compile", epilog=EPILOG)
@click.argument("model", type=PATH)
@path_option("--out", required=True, help="Folder for the C sources; made where it is absent.")
@click.option(
    "--core",
    default=HOST.name,
    help=f"One of {', '.join(CORES)}. Default: {HOST.name}, portable C99.",
)
@click.option(
    "--optimize",
    type=click.Choice((SIZE, SPEED)),
    help="Compiler options put into Makefile, CMakeLists.txt and figures: size is -Os, speed -O2. "
    "On phones' and computers' cores speed is -O3 and the default; elsewhere size is.",
)
@click.option("--report", "with_report", is_flag=True, help="Write report.html and print tables.")
@click.option("--carry-state", is_flag=True, help="An LSTM's state lives on from window to window.")
@click.option(
    "--keep-inputs", is_flag=True, help="Running the model leaves its inputs as they are."
)
@click.option(
    "--bands/--no-bands",
    default=None,
    help="Compute the first convolutions in bands of rows wherever that takes less memory, or "
    "never. Default: where a large arena shrinks by a tenth for 1 % more work.",
)
@click.option("--stream", is_flag=True, help="The window arrives step by step: less memory.")
@click.option(
    "--hop",
    type=SHARE,
    help="Share of the window that is new at each step, such as 96/400; layers keep the rest.",
)
@click.option("--prefix", default="kd_model", help="Of files and functions; default: kd_model.")
@common
def compile_command(
    model: Path,
    out: Path,
    core: str,
    optimize: str | None,
    with_report: bool,
    carry_state: bool,
    keep_inputs: bool,
    bands: bool | None,
    stream: bool,
    hop: Fraction | None,
    prefix: str,
    as_json: bool,
) -> None:
    """Compile MODEL to plain C that holds exactly this model.

    MODEL is an int8 or int16x8 .tflite from any trainer.
    """
    from firmware_export.aot.compiler import CompileSettings, compile_model
    from firmware_export.aot.export import build_files, write_export
    from kd_edge.base.flatbuffer import model_bytes
    from kd_edge.cli.printing import printing
    from kd_edge.report.compile_html import render_compile_html
    from kd_edge.report.compile_report import compile_report, to_json
    from kd_edge.report.compile_table import print_compile

    settings = CompileSettings(
        core=core,
        prefix=prefix,
        carry_state=carry_state,
        keep_inputs=keep_inputs,
        bands=bands,
        stream=stream,
        hop=hop,
        generator=f"kd-edge {__version__}",
    )
    content = model_bytes(model)
    compiled = compile_model(model, settings)
    optimize = optimize or compiled.core.optimize
    files = build_files(compiled, optimize=optimize)
    report = compile_report(
        model.name, compiled, content, optimize=optimize, with_boards=with_report
    )
    if with_report:
        files["report.html"] = render_compile_html(report)
    write_export(out, compiled, files, optimize=optimize)
    with printing() as console:
        if as_json:
            click.echo(to_json(report))
            return
        print_compile(report, console)
        say(f"sources: {out}")
        if with_report:
            say(f"report: {out / 'report.html'}")
