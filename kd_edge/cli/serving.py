"""`kd-edge data serve-trigno`: an emulated base until Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import click

from kd_edge.base.errors import KdEdgeError
from kd_edge.cli.printing import say

_HERE = ("127.0.0.1", "::1", "localhost")
_N_PORTS = 3
_LONGEST_S = 1e6


def serve_trigno(
    path: Path,
    *,
    as_json: bool,
    reader: str | None,
    listen: str,
    ports: str,
    fault: str | None,
    once: bool,
    seconds: float | None,
    pieces: int | None,
) -> None:
    """Serve one recording; the options are the command's."""
    from kd_edge.live.sources.trigno_base import TrignoBase, played
    from kd_edge.signals import read

    recordings = read(path, reader)
    if len(recordings) != 1:
        raise KdEdgeError(
            "KD_USAGE",
            f"{path} holds {len(recordings)} recordings, and a base streams one",
            where=str(path),
            hint="name one file",
        )
    if listen not in _HERE:
        say(f"warning: anybody who reaches {listen} can read this recording", err=True)
    what = played(recordings[0])
    base = TrignoBase(
        what, host=listen, ports=_ports(ports), fault=_fault(fault), once=once, seed=pieces
    )
    with contextlib.closing(base):
        _tell(base, listen, as_json=as_json)
        end_s = None if seconds is None else time.monotonic() + seconds
        with contextlib.suppress(KeyboardInterrupt):
            base.run(until=lambda: end_s is not None and time.monotonic() >= end_s)


def _tell(base, listen: str, *, as_json: bool) -> None:
    command, emg, aux = base.ports
    url = f"trigno://{listen}"
    if base.ports != (50040, 50043, 50044):
        url += f"?port={command}&emg_port={emg}&aux_port={aux}"
    if as_json:
        click.echo(json.dumps({"url": url, "ports": base.ports}))
        return
    layout = base.what.layout
    for sensor in layout.sensors:
        rates = dict.fromkeys(f"{c.rate_hz:g} Hz" for c in (*sensor.emg, *sensor.aux))
        channels = f"{len(sensor.emg)} sEMG, {len(sensor.aux)} AUX"
        say(f"sensor {sensor.number}: {channels}, {', '.join(rates)}")
    say(f"--source {url}\nCtrl-C ends it.")


def _ports(text: str) -> tuple[int, int, int]:
    parts = text.split(",")
    if len(parts) != _N_PORTS or not all(p.strip().isdecimal() for p in parts):
        raise click.UsageError("--ports takes three numbers: 50040,50043,50044")
    command, emg, aux = (int(part) for part in parts)
    return command, emg, aux


def _fault(text: str | None):
    from kd_edge.live.sources.trigno_base import FAULTS, Fault

    if text is None:
        return None
    name, _, after = text.partition(":")
    try:
        at_s = float(after)
    except ValueError:
        at_s = -1.0
    if name not in FAULTS or not 0 <= at_s < _LONGEST_S:
        raise click.UsageError(f"--fault takes NAME:SECONDS, with {', '.join(FAULTS)}")
    return Fault(name, at_s)
