"""Wheels of every base dependency exist for the systems that docs/platforms.md names.

Oracle: the package index, asked by pip for one system at a time. Nothing is installed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from waiting import BOUND_S

ROOT = Path(__file__).resolve().parents[1]
# System -> pip's names of its wheels, the newest C library or macOS last, and its markers.
SYSTEMS = {
    "Windows on x86-64": (("win_amd64",), {"sys_platform": "win32", "platform_machine": "AMD64"}),
    "macOS on Apple silicon": (
        ("macosx_11_0_arm64", "macosx_12_0_arm64", "macosx_14_0_arm64"),
        {"sys_platform": "darwin", "platform_machine": "arm64"},
    ),
    "Linux on ARM": (
        ("manylinux2014_aarch64", "manylinux_2_27_aarch64", "manylinux_2_28_aarch64"),
        {"sys_platform": "linux", "platform_machine": "aarch64"},
    ),
}
_UNREACHED = r"connection broken|Failed to establish|name resolution|No route to host|timed out"
PYTHONS = ("3.11", "3.12", "3.13")


def base_of(system: str) -> list[str]:
    """What `pip install kd-edge` takes there, by the markers in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    there = default_environment() | SYSTEMS[system][1]
    asked = [Requirement(text) for text in project["dependencies"]]
    return [
        f"{one.name}{one.specifier}"
        for one in asked
        if one.marker is None or one.marker.evaluate(there)
    ]


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_oracle_is_asked_for_only_where_its_wheel_exists(system):
    """Oracle: TFLite Micro's wheels, which are for Linux on x86-64 alone."""
    assert not any(text.startswith("tflite-micro") for text in base_of(system))
    assert any(text.startswith("ai-edge-litert") for text in base_of(system))


def test_the_systems_are_those_that_are_documented():
    text = (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| ([A-Za-z][\w -]+?) \|", text, re.MULTILINE))
    assert rows >= set(SYSTEMS)


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_base_dependency_has_a_wheel(system, python):
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps"]
    command += ["--ignore-installed", "--only-binary", ":all:", "--target", "nowhere"]
    command += ["--python-version", python, "--implementation", "cp"]
    for name in SYSTEMS[system][0]:
        command += ["--platform", name]
    done = subprocess.run(
        [*command, *base_of(system)], capture_output=True, text=True, timeout=BOUND_S, check=False
    )
    if done.returncode and re.search(_UNREACHED, done.stderr):
        pytest.skip("needs the package index, which cannot be reached from here")
    assert done.returncode == 0, done.stderr[-2000:]
