"""`board list`, and what `doctor` says of boards' tools. Oracle: the boards and programs found."""

from __future__ import annotations

import json
import os

from serial.tools import list_ports, list_ports_common

from kd_edge.base.errors import ExitStatus
from kd_edge.cli import run as kd_edge


def test_board_list_names_boards_tools_and_ports(capsys, monkeypatch):
    """Oracle: the boards' files, and a port as pyserial tells of it."""
    port = list_ports_common.ListPortInfo("/dev/ttyACM7", skip_link_detection=True)
    port.description = "a board"
    monkeypatch.setattr(list_ports, "comports", lambda: [port])
    assert kd_edge(["board", "list", "--json"]) == ExitStatus.OK
    listing = json.loads(capsys.readouterr().out)
    boards = {board["name"]: board for board in listing["boards"]}
    assert boards["qemu-an386"]["tools"] == ["arm-none-eabi-gcc", "qemu-system-arm"]
    assert boards["pico"]["ram_bytes"] == 270_336
    assert not boards["pico"]["run"]
    assert listing["ports"] == [{"port": "/dev/ttyACM7", "description": "a board"}]


def test_board_list_says_where_a_missing_tool_comes_from(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert kd_edge(["board", "list"]) == ExitStatus.OK
    text = " ".join(capsys.readouterr().out.split())
    assert "apt install qemu-system-arm" in text
    assert "built only" in text


def test_doctor_names_the_packages_of_missing_compilers(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    kd_edge(["doctor", "--json"])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert "apt install qemu-system-arm" in checks["qemu-system-arm"]["get"]
    assert "picolibc" in checks["riscv64-unknown-elf-gcc"]["get"]
    assert checks["arm-none-eabi-gcc"]["found"] is None
