"""kd-edge's base on 64-bit Arm: Debian's Python from its packages, wheels of the index, qemu-user.

Nothing of this machine is changed: packages are unpacked, and everything lies in one folder.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_platforms import SYSTEMS, UNREACHED, base_of
from waiting import BOUND_S

ROOT = Path(__file__).resolve().parents[1]
_SYSTEM = "Linux on ARM"
_COMPILER = "aarch64-linux-gnu-gcc"
_EMULATORS = ("qemu-aarch64", "qemu-aarch64-static")
# What a wheel of C++ needs beside Python.
_PACKAGES = ("python3", "libstdc++6")


@dataclass(frozen=True)
class Arm:
    """An installed kd-edge.

    Attributes:
        python: the command of its Python.
        environment: with its packages, and a C compiler for it first on the path.
    """

    python: tuple[str, ...]
    environment: Mapping[str, str]

    def run(self, *arguments: object) -> subprocess.CompletedProcess:
        """`kd-edge ARGUMENTS` there, to its end."""
        words = [str(argument) for argument in arguments]
        return _run([*self.python, "-m", "kd_edge", *words], env=dict(self.environment))


def install(folder: Path) -> Arm:
    """Install kd-edge's base below a folder; skips, and says why, if this machine cannot."""
    emulator = next((path for name in _EMULATORS if (path := shutil.which(name))), None)
    if emulator is None:
        pytest.skip("needs qemu-aarch64, of Debian's package qemu-user")
    for program in ("apt-get", "dpkg", _COMPILER):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    root = _unpacked(folder)
    (program,) = (root / "usr" / "bin").glob("python3.[0-9]*[0-9]")
    python = (emulator, "-L", str(root), str(program))
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    ask = "import platform; print(platform.machine(), *platform.python_version_tuple()[:2])"
    said = _run([*python, "-c", ask], env=plain)
    assert said.returncode == 0, said.stderr
    machine, *version = said.stdout.split()
    assert machine == "aarch64"
    site = folder / "site"
    wheels = _wheels(folder / "wheels", ".".join(version))
    pip = ["-m", "pip", "install", "--no-index", "--find-links", wheels, "--target", site]
    pip += ["--no-compile", "--no-cache-dir", *wheels.glob("kd_edge-*.whl")]
    # pip is Python alone: this machine's runs there too.
    alone = folder / "pip"
    shutil.copytree(Path(pytest.importorskip("pip").__file__).parent, alone / "pip")
    done = _run([*python, *map(str, pip)], env=plain | {"PYTHONPATH": str(alone)})
    assert done.returncode == 0, done.stderr[-3000:]
    tools = folder / "tools"
    tools.mkdir()
    (tools / "gcc").symlink_to(shutil.which(_COMPILER))
    own = {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(site),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    return Arm(python, plain | own)


def _unpacked(folder: Path) -> Path:
    """The root of a Debian with Python; apt works on lists of its own, for that machine alone."""
    apt = folder / "apt"
    for place in ("lists/partial", "archives/partial", "state"):
        (apt / place).mkdir(parents=True)
    (apt / "state" / "status").touch()
    settings = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Install-Recommends": "false",
        "Dir::State": apt / "state",
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": apt / "state" / "status",
        "Dir::Cache": apt,
    }
    lines = [f'{name} "{value}";\n' for name, value in settings.items()]
    (apt / "apt.conf").write_text("".join(lines), encoding="utf-8")
    environment = os.environ | {"APT_CONFIG": str(apt / "apt.conf")}
    for command in (["update"], ["install", "--download-only", "-y", *_PACKAGES]):
        done = _run(["apt-get", *command], env=environment)
        if done.returncode:
            pytest.skip(f"needs Debian's packages for arm64: {done.stderr.strip()[-300:]}")
    root = folder / "root"
    for package in sorted((apt / "archives").glob("*.deb")):
        done = _run(["dpkg", "-x", str(package), str(root)])
        assert done.returncode == 0, done.stderr
    if not (root / "lib").exists():  # of Debian 13, whose packages have all of it below usr
        (root / "lib").symlink_to("usr/lib")
    return root


def _wheels(folder: Path, version: str) -> Path:
    """kd-edge's own wheel, and those of its base for that machine."""
    pip = [sys.executable, "-m", "pip", "--quiet"]
    ask = [*pip, "download", "--only-binary", ":all:", "--dest", str(folder)]
    ask += ["--python-version", version, "--implementation", "cp"]
    for name in (*SYSTEMS[_SYSTEM][0], "manylinux_2_17_aarch64"):
        ask += ["--platform", name]
    # Built beside the sources, not among them.
    copy = folder / "source"
    for part in ("kd_edge", "firmware_export"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, copy)
    own = [*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(copy)]
    for command in ([*ask, *base_of(_SYSTEM)], own):
        done = _run(command)
        if done.returncode and re.search(UNREACHED, done.stderr):
            pytest.skip(f"needs the package index: {done.stderr.strip()[-300:]}")
        assert done.returncode == 0, done.stderr[-3000:]
    return folder


def _run(command: Sequence[str], **more) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=2 * BOUND_S, check=False, **more
    )
