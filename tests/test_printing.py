"""Names of strangers in what commands print. Oracle: they stand there as they are, and end nothing.

A port, folder, class, sensor, recipe or model may be called `[/x]`, which rich would take for
markup, or hold an escape sequence, which a terminal would obey.
"""

from __future__ import annotations

import io
import shutil
from dataclasses import replace

import numpy as np
import pytest
from bundle_samples import PRODUCT, sample_bundle
from live_samples import FACTS, figures_after, samples_of, seen
from report_samples import full_report

from kd_edge.base.errors import ExitStatus
from kd_edge.cli import run
from kd_edge.cli.printing import console, printable, say
from kd_edge.cli.watching import TerminalWatch

MARKUP = "[/x][red]:smile:"
HOSTILE = f"{MARKUP}\x1b[2J"
FOLDER = "[x][red]"  # a name of a folder has no '/'


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return sample_bundle(tmp_path_factory.mktemp("bundles") / FOLDER, HOSTILE)


def printed(capsys, *arguments, status=ExitStatus.OK) -> str:
    """What a command printed, on one line: tables break names where a column ends."""
    assert run([str(argument) for argument in arguments]) == status, capsys.readouterr().err
    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err
    return "".join((told.out + told.err).split())


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / FOLDER
    folder.mkdir()
    names = np.array([f"{HOSTILE} 1", f"{HOSTILE} 2"])
    rng = np.random.default_rng(1)
    for number in range(2):
        np.savez(
            folder / f"{FOLDER}{number}.npz", emg=rng.normal(size=(200, 2)), label=HOSTILE,
            subject=HOSTILE, session=HOSTILE,
            **{"emg.rate_hz": 100.0, "emg.unit": "mV", "emg.channels": names,
               "emg.sensor": HOSTILE},
        )  # fmt: skip
    return folder


def test_recordings_are_inspected_whatever_their_names_are(recordings, capsys):
    told = printed(capsys, "data", "inspect", recordings, "--reader", "npz", status=3)
    told = printed(capsys, "data", "inspect", next(recordings.iterdir()))
    assert MARKUP in told
    assert FOLDER in told


def test_a_model_of_any_name_is_compiled(bundle, tmp_path, capsys):
    model = next(bundle.glob("*.tflite"))
    shutil.copy(model, tmp_path / f"{FOLDER}.tflite")
    out = tmp_path / f"{FOLDER} out"
    told = printed(capsys, "compile", tmp_path / f"{FOLDER}.tflite", "--out", out)
    assert f"sources:{out}".replace(" ", "") in told


def test_a_bundle_of_any_names_is_measured_and_compared(bundle, tmp_path, capsys):
    (tmp_path / "old.json").write_bytes((bundle / "report.json").read_bytes())
    baseline = str(tmp_path / "old.json")
    status = run(["bench", str(bundle), "--runs", "20", "--baseline", baseline])
    assert status in (ExitStatus.OK, ExitStatus.GATE)
    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err
    assert PRODUCT + MARKUP in "".join(told.out.split())


def test_a_bundle_of_any_names_becomes_firmware(bundle, tmp_path, capsys):
    out = tmp_path / FOLDER
    told = printed(capsys, "firmware", bundle, "--board", "nano33ble", "--out", out)
    assert str(out) in told
    told = printed(capsys, "flash", out, "--dry-run")
    assert str(out) in told


@pytest.mark.parametrize("command", ["selftest", "profile", "eval", "live"])
def test_a_port_of_any_name_is_only_absent(bundle, capsys, command):
    port = f"/dev/{MARKUP}"
    told = printed(capsys, command, bundle, "--port", port, status=ExitStatus.BOARD)
    assert MARKUP in told


@pytest.mark.parametrize("command", [("doctor",), ("board", "list")])
def test_what_is_installed_is_listed_whatever_a_port_is_called(capsys, monkeypatch, command):
    from types import SimpleNamespace

    from serial.tools import list_ports

    port = SimpleNamespace(device=HOSTILE, description=HOSTILE)
    monkeypatch.setattr(list_ports, "comports", lambda: [port])
    monkeypatch.setenv("KERAS_BACKEND", HOSTILE)
    run(list(command))
    told = capsys.readouterr()
    assert "\x1b" not in told.out
    assert MARKUP in "".join(told.out.split())


def test_progress_tells_any_name(capsys):
    with TerminalWatch() as watch:
        for tell in (
            lambda: watch.stage(f"train {HOSTILE}", False),
            lambda: watch.step(f"reading {HOSTILE}", 1, 2),
            lambda: watch.note(HOSTILE),
        ):
            tell()
    told = capsys.readouterr().err
    assert told.count(MARKUP) == 3
    assert "\x1b" not in told


def test_a_moving_bar_tells_any_name(monkeypatch, capsys):
    """Oracle: rich's bar on a terminal, whose own escape sequences are not the name's."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with TerminalWatch() as watch:
        watch.step(f"reading {HOSTILE}", 1, 2)
        watch._bar.refresh()
    told = capsys.readouterr().err
    assert MARKUP in told
    assert "\x1b[2J" not in told


def test_a_live_picture_shows_any_name():
    from kd_edge.live.plain import Picture

    sensor = replace(FACTS.sensors[0], name=HOSTILE, channels=(HOSTILE, f"{HOSTILE} 2"))
    facts = replace(FACTS, sensors=(sensor, FACTS.sensors[1]), classes=(HOSTILE, *"bcde"))
    screen = console()
    screen.file = io.StringIO()
    screen.width = 120
    picture = Picture(facts, screen)
    picture.samples(samples_of(0, 0, 55))
    windows = [replace(seen(1), name=HOSTILE)]
    picture.window(windows[0], figures_after(windows))
    screen.print(picture.picture())
    assert screen.file.getvalue().count(MARKUP) >= 4
    assert "\x1b[2J" not in screen.file.getvalue()


def test_a_report_of_any_names_is_printed_by_anyones_console():
    """Oracle: rich's own console, which takes text for markup."""
    from rich.console import Console

    from kd_edge.report.baseline import compare, print_changes
    from kd_edge.report.table import print_table

    report = full_report(n_classes=3, hostile=MARKUP)
    stream = io.StringIO()
    print_table(report, Console(file=stream, width=200))
    worse = replace(report, rows=report.rows[:-1])
    print_changes(compare(report, worse), Console(file=stream, width=200))
    assert MARKUP in stream.getvalue()


def test_characters_that_a_terminal_would_obey_are_replaced(capsys):
    assert (
        printable("a\tb\nc\x1b[2J\x07\x9b1m\ud800é😀") == "a\tb\nc\ufffd[2J\ufffd\ufffd1m\ufffdé😀"
    )
    say("x\x1b]0;title\x07y", err=True)
    assert capsys.readouterr().err == "x\ufffd]0;title\ufffdy\n"


def test_an_error_about_any_name_is_told(tmp_path, capsys):
    missing = tmp_path / HOSTILE
    told = printed(capsys, "data", "inspect", missing, status=ExitStatus.BAD_DATA)
    assert MARKUP[3:] in told
