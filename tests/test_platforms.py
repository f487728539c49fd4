"""Wheels of the base and of Bluetooth exist for the systems that docs/platforms.md names.

Oracle: the package index, asked by pip for one system at a time. Nothing is installed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_string
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
UNREACHED = r"connection broken|Failed to establish|name resolution|No route to host|timed out"
PYTHONS = ("3.11", "3.12", "3.13")


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def base_of(system: str) -> list[str]:
    """What `pip install kd-edge` takes there, by the markers in pyproject.toml."""
    return needed(project()["dependencies"], system)


def needed(requirements: list[str], system: str, python: str | None = None) -> list[str]:
    """Those of the requirements that a system takes, without their markers."""
    there = default_environment() | SYSTEMS[system][1] | {"extra": ""}
    if python is not None:
        there |= {"python_version": python, "python_full_version": f"{python}.0"}
    asked = [Requirement(text) for text in requirements]
    return [
        f"{one.name}{one.specifier}"
        for one in asked
        if one.marker is None or one.marker.evaluate(there)
    ]


@pytest.fixture(scope="module")
def bluetooth(tmp_path_factory) -> list[str]:
    """What the extra `ble` takes: its package, and what that takes on each system."""
    folder = tmp_path_factory.mktemp("bleak")
    extra = project()["optional-dependencies"]["ble"]
    asked_of_the_index(["download", "--no-deps", "--dest", str(folder), *extra])
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        stated = message_from_string(files.read(name).decode("utf-8"))
    return [*extra, *stated.get_all("Requires-Dist")]


def asked_of_the_index(arguments: list[str]) -> None:
    """pip, to its end; skips if the index cannot be reached."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments, "--quiet"],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    if done.returncode and re.search(UNREACHED, done.stderr):
        pytest.skip("needs the package index, which cannot be reached from here")
    assert done.returncode == 0, done.stderr[-2000:]


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
def test_every_dependency_of_the_base_and_of_bluetooth_has_a_wheel(system, python, bluetooth):
    command = ["install", "--dry-run", "--no-deps", "--ignore-installed"]
    command += ["--only-binary", ":all:", "--target", "nowhere"]
    command += ["--python-version", python, "--implementation", "cp"]
    for name in SYSTEMS[system][0]:
        command += ["--platform", name]
    asked_of_the_index([*command, *base_of(system), *needed(bluetooth, system, python)])
