"""The command line: help, exit statuses, and errors without tracebacks."""

from __future__ import annotations

import json
import platform

import pytest

from kd_edge.cli import run
from kd_edge.errors import KINDS, ExitStatus


def test_every_command_has_help_with_examples(capsys):
    for command in (["build"], ["bench"], ["data", "inspect"], ["doctor"]):
        assert run([*command, "--help"]) == ExitStatus.OK
        assert "Examples:" in capsys.readouterr().out


def test_an_unknown_option_is_bad_usage(capsys):
    assert run(["bench", "--nonsense"]) == ExitStatus.USAGE
    assert "nonsense" in capsys.readouterr().err


def test_a_user_mistake_is_told_without_a_traceback(capsys, tmp_path):
    status = run(["build", str(tmp_path / "none.toml")])
    err = capsys.readouterr().err
    assert status == ExitStatus.BAD_DATA
    assert err.startswith("error KD_NO_FILE")
    assert "hint:" in err
    assert "Traceback" not in err


def test_an_error_is_json_where_json_is_asked_for(capsys, tmp_path):
    status = run(["bench", str(tmp_path), "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "KD_NO_FILE"
    assert error["exit_status"] == status == ExitStatus.BAD_DATA


def test_doctor_names_what_is_installed_and_how_to_get_the_rest(capsys):
    assert run(["doctor", "--json"]) == ExitStatus.OK
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["tflite-micro"]["found"]
    assert checks["tensorflow"]["get"] == "pip install 'kd-edge[build]'"


def test_doctor_prints_the_name_of_an_extra_whole(capsys, monkeypatch):
    """Oracle: square brackets are markup to the table's library, and once vanished."""
    from importlib import metadata

    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    assert run(["doctor"]) == ExitStatus.MISSING_TOOL
    assert "kd-edge[build]" in capsys.readouterr().out.replace("\n", "")


def test_a_defect_of_our_own_says_so_and_hides_its_traceback(capsys, monkeypatch):
    def broken():
        raise ZeroDivisionError("defect")

    monkeypatch.setattr(platform, "python_version", broken)
    assert run(["doctor"]) == ExitStatus.INTERNAL
    err = capsys.readouterr().err
    assert "defect of kd-edge" in err
    assert "Traceback" not in err
    with pytest.raises(ZeroDivisionError):
        run(["doctor", "--debug"])


def test_ctrl_c_is_told_and_ends_with_130(capsys, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(platform, "python_version", interrupt)
    assert run(["doctor"]) == ExitStatus.INTERRUPTED
    assert "goes on" in capsys.readouterr().err


def test_every_code_is_used_in_the_source(pytestconfig):
    """A code that nothing raises is dead. Oracle: the source text."""
    root = pytestconfig.rootpath
    sources = [*root.glob("kd_edge/**/*.py"), *root.glob("firmware_export/**/*.py")]
    text = "".join(p.read_text(encoding="utf-8") for p in sources if p.name != "errors.py")
    unused = [code for code in KINDS if f'"{code}"' not in text]
    assert not unused
