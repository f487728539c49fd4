"""docs/first-hour.md: its commands work as they stand, in an empty folder, and end with 0."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys

import click
import pytest
from waiting import program

from kd_edge.cli import cli

_LATER = "serve-trigno"  # goes on in another terminal


@pytest.fixture(scope="module")
def commands(pytestconfig) -> list[str]:
    page = (pytestconfig.rootpath / "docs" / "first-hour.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


def test_there_are_no_more_than_twelve(commands):
    assert 8 < len(commands) <= 12


def test_each_has_only_commands_and_options_that_exist(commands):
    """Oracle: click, which parses each and does not run it."""
    ours = [shlex.split(line)[1:] for line in commands if line.startswith("kd-edge ")]
    assert len(ours) == len(commands) - 2  # pip, and the list of signs
    for line in ours:
        words, command = list(line), cli
        context = click.Context(command)
        while isinstance(command, click.Group):
            name, command, words = command.resolve_command(context, words)
            context = click.Context(command, info_name=name, parent=context)
        command.make_parser(context).parse_args(words)


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.timeout(5400)  # minutes on a quiet machine, and far more behind other work
def test_they_lead_from_an_empty_folder_to_a_board(commands, tmp_path):
    if not (shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")):
        pytest.skip("needs arm-none-eabi-gcc and qemu-system-arm")

    def run(line: str) -> None:
        line = line.replace("kd-edge", f"{sys.executable} -m kd_edge", 1)
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (line, done.stdout[-2000:], done.stderr[-2000:])

    at = next(at for at, line in enumerate(commands) if _LATER in line)
    for line in commands[1:at]:  # it is installed
        run(line)
    base = [sys.executable, "-m", "kd_edge", *shlex.split(commands[at])[1:]]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with program(base, "the emulated base", cwd=tmp_path, **piped) as served:
        assert any("Ctrl-C" in line for line in served.stdout)  # it is listening
        for line in commands[at + 1 :]:
            run(line)
    assert (tmp_path / "my-signs" / "labels.csv").exists()
