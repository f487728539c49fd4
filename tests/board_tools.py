"""The tools that read the manifests of real boards' projects."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[1] / ".venv-board-tools" / "bin"


def board_tool(name: str) -> str:
    """A tool of requirements/board-tools.txt; skips where it is not installed."""
    found = shutil.which(name, path=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{name} is not installed: `make test` sets it up in {TOOLS.parent.name}")
    return found


# `pio project config --lint` in the working folder, and PlatformIO's reading of a library,
# in one process for all projects: each start takes a second.
PLATFORMIO = """
import json, os, sys
from platformio.package.manifest.parser import ManifestParserFactory as Parser
from platformio.package.manifest.schema import ManifestSchema
from platformio.project.config import ProjectConfig
found = []
for folder in sys.argv[1:]:
    os.chdir(folder)
    library = Parser.new_from_file("lib/kd_firmware/library.json").as_dict()
    found.append([ProjectConfig.lint(), ManifestSchema().load_manifest(library)["name"]])
json.dump(found, sys.stdout)
"""


def read_by_platformio(folders: Sequence[Path], home: Path) -> list[tuple[dict, str]]:
    """PlatformIO's lint of each project, and its library's name; skips without PlatformIO."""
    pio = board_tool("pio")
    quiet = os.environ | {"HOME": str(home), "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no"}
    done = subprocess.run(
        [Path(pio).parent / "python", "-c", PLATFORMIO, *folders],
        env=quiet, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [(lint, library) for lint, library in json.loads(done.stdout)]


def lint_of_component(component: Path, home: Path) -> subprocess.CompletedProcess:
    """`compote manifest lint` of idf-component-manager; skips where that is not installed."""
    return subprocess.run(
        [board_tool("compote"), "-W", "manifest", "lint", "idf_component.yml"],
        cwd=component, env=os.environ | {"HOME": str(home)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
