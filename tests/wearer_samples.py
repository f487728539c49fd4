"""Recordings of somebody whom a bundle has not seen, and a bundle that follows its wearer."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

from kd_edge.signals.discover_writer import write_discover_csv

NEW = "S5"  # nobody whom the bundle has seen


def write_few(
    folder: Path, everybody, repetitions=7, *, labels=None, leave_out=(), subjects=(NEW,),
    change=None,
) -> Path:  # fmt: skip
    """Recordings of the new signer as a folder with labels."""
    folder.mkdir()
    rows = []
    for index, recording in enumerate(everybody):
        if recording.subject not in subjects or recording.label in leave_out:
            continue
        if recording.trial > repetitions:
            continue
        label = (labels or {}).get(recording.label, recording.label)
        name = f"{index}.csv"
        write_discover_csv(change(recording) if change else recording, folder / name)
        rows.append((name, label, recording.subject, recording.session, recording.trial))
    with open(folder / "labels.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([("file", "label", "subject", "session", "trial"), *rows])
    return folder


def following(bundle: Path, tmp_path) -> Path:
    """The bundle with a running normaliser, which its model has never seen."""
    copy = Path(shutil.copytree(bundle, tmp_path / "following"))
    manifest = json.loads((copy / "bundle.json").read_text())
    for stream in manifest["front_end"]["streams"]:
        stream["running"] = {"weight_windows": 4, "memory_windows": 9, "floor": 0.125}
    (copy / "bundle.json").write_text(json.dumps(manifest))
    return copy


def shortened(recording):
    streams = tuple(replace(s, samples=s.samples[: len(s.samples) // 3]) for s in recording.streams)
    return replace(recording, streams=streams)


def without_gyroscope(recording):
    streams = tuple(s for s in recording.streams if s.modality != "gyr")
    return replace(recording, streams=streams)
