"""Starting other programs: Python isolated from the user's files, the others in a folder we name.

A recording's or a bundle's folder is often the working folder, and it may be a stranger's. Nothing
that lies there is imported or run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

# Run by the child before anything else: its own standard library first, then the places where the
# parent found its packages. Under `pip install --user` and without an installation at all, these
# are places that an isolated Python would not look at.
_START = """
import json, runpy, sys
own = [p for p in sys.path if "site-packages" not in p and "dist-packages" not in p]
sys.path[:] = own + [p for p in json.loads(sys.argv[1]) if p not in own]
del sys.argv[:2]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def python_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of kd-edge in a Python of its own.

    Use it with `python_environment`. Together they are Python's isolated mode (-I): no working
    folder, no script's folder and no variable PYTHON… decide what is imported. -I itself would also
    drop the hash seed, without which a conversion need not give the same bytes twice.
    """
    places = json.dumps(_places())
    return [sys.executable, "-s", "-P", "-c", _START, places, module, *arguments]


def python_environment(**more: str) -> dict[str, str]:
    """The child's environment: this one without PYTHON…, a fixed hash seed, and `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | {"PYTHONHASHSEED": "0"} | more


def _places() -> list[str]:
    """Where this process imports from, without the working folder, and where kd-edge lies."""
    here = os.path.realpath(os.getcwd())
    places = [os.path.abspath(p) for p in sys.path if p and os.path.realpath(p) != here]
    # Last: from a checkout that is the working folder, kd-edge itself is still found.
    return [*places, str(Path(__file__).resolve().parents[2])]


def run_program(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    as_text: bool = True,
) -> subprocess.CompletedProcess:
    """Run a program to its end; it reads nothing from the terminal.

    Args:
        command: paths in it are absolute, or meant from `folder`; the program may be a bare name.
        folder: where it works; None: an empty folder that is removed afterwards.
        environment: None: this process's.
        as_text: what it wrote is text; bytes that are no UTF-8 are replaced.
    """
    # Found from here, not from `folder`: PATH may have relative places.
    program = os.path.abspath(shutil.which(command[0]) or command[0])
    with tempfile.TemporaryDirectory(prefix="kd-edge-") as empty:
        return subprocess.run(
            [program, *command[1:]],
            cwd=folder or empty,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            **({"encoding": "utf-8", "errors": "replace"} if as_text else {}),
        )
