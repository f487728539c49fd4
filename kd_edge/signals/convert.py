"""Recordings of any reader as files of one format, with a labels.csv beside them."""

from __future__ import annotations

import csv
import io
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import make_folder, output_error, sync_folder, write_text
from kd_edge.base.registry import Registry
from kd_edge.signals.discover_writer import write_discover_csv
from kd_edge.signals.folder import LABELS, NEEDED, OPTIONAL
from kd_edge.signals.npz_writer import write_npz
from kd_edge.signals.recording import Recording, Stream, usual_unit
from kd_edge.signals.titles import modality_of, unique
from kd_edge.signals.xdf_writer import write_xdf

# What file systems take in names everywhere; the rest becomes '-'.
_NOT_IN_NAMES = re.compile(r"[^\w.+-]+")
_LONGEST_WORD = 40
_BREAKING = re.compile(r'[,"\r\n]')


@dataclass(frozen=True)
class Writer:
    """A format that recordings are written in.

    Attributes:
        name: of `data convert --to`.
        ending: of its files.
        write: (recording, path) -> None.
    """

    name: str
    ending: str
    write: Callable[[Recording, Path], None]


def _write_discover(recording: Recording, path: Path) -> None:
    write_discover_csv(as_discover(recording), path)


WRITERS: Registry[Writer] = Registry(
    "format of recordings",
    (
        Writer("discover-csv", ".csv", _write_discover),
        Writer("npz", ".npz", write_npz),
        Writer("xdf", ".xdf", write_xdf),
    ),
    home=__name__,
    plural="formats of recordings",
)


@dataclass(frozen=True)
class Piece:
    """What stands from `start_s` to `end_s` of a recording, in seconds from its first sample.

    Attributes:
        end_s: None is the recording's end.
    """

    start_s: float
    end_s: float | None
    label: str


@dataclass(frozen=True)
class Converted:
    """What was written: files, and how many of them labels.csv names."""

    recordings: int
    labelled: int


def write_folder(
    recordings: Sequence[Recording],
    folder: Path,
    write: Writer,
    *,
    pieces: Mapping[Recording, Sequence[Piece]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Converted:
    """Write each recording as a file of its own, and labels.csv; all of them or nothing.

    Those without a label stand in no labels.csv. Trials are counted anew if two of one label,
    subject and session bear the same number.

    Args:
        folder: made where it is absent; empty otherwise.
        pieces: of the recordings that labels.csv cuts.
        progress: called with (done, total).

    Raises:
        KdEdgeError KD_OUTPUT: the folder holds something, or cannot be written. What the format
            cannot hold, with the recording.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise KdEdgeError(
            "KD_OUTPUT",
            f"{folder} is no empty folder, and the files would be mixed with others",
            where=str(folder),
            hint="name a new folder",
        )
    names = file_names(recordings, write.ending)
    try:
        make_folder(folder.parent)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder.parent) as made:
            inside = Path(made) / "recordings"
            inside.mkdir()
            for done, (name, recording) in enumerate(zip(names, recordings, strict=True), 1):
                write.write(recording, inside / name)
                if progress:
                    progress(done, len(recordings))
            rows = _rows(names, recordings, pieces or {})
            if rows:
                write_text(inside / LABELS, _labels(rows))
            if folder.exists():
                folder.rmdir()
            shutil.move(inside, folder)
            sync_folder(folder.parent)
    except OSError as error:
        raise output_error(folder, error) from error
    return Converted(len(recordings), len({name for name, *_ in rows}))


def file_names(recordings: Sequence[Recording], ending: str) -> list[str]:
    """A name for each recording's file: of what is known of it, or of the file it came from."""
    stems = []
    for recording in recordings:
        words = [recording.subject, recording.label, recording.session]
        known = [_word(word) for word in words if word]
        if recording.label is not None:
            known.append(f"{recording.trial:02d}")
        else:
            known.append(_word(Path(recording.source).name.partition(".")[0]) or "recording")
        if recording.synthetic:
            known.insert(0, "synthetic")
        stems.append("_".join(known))
    # Windows takes 'A' and 'a' for one name.
    taken = unique(stem.casefold() for stem in stems)
    return [
        f"{stem}{name[len(stem.casefold()) :].replace(' #', '-')}{ending}"
        for stem, name in zip(stems, taken, strict=True)
    ]


def _word(text: str) -> str:
    return _NOT_IN_NAMES.sub("-", text).strip("-.")[:_LONGEST_WORD]


def _rows(
    names: Sequence[str],
    recordings: Sequence[Recording],
    pieces: Mapping[Recording, Sequence[Piece]],
) -> list[tuple]:
    """(file, label, subject, session, trial, start, end) of each row of labels.csv."""
    rows = []
    for name, recording in zip(names, recordings, strict=True):
        of = (recording.subject, recording.session, recording.trial)
        if recording in pieces:
            rows += [
                (
                    name,
                    p.label,
                    *of,
                    f"{p.start_s:.3f}",
                    "" if p.end_s is None else f"{p.end_s:.3f}",
                )
                for p in pieces[recording]
            ]
        elif recording.label is not None:
            rows.append((name, recording.label, *of, "", ""))
    return rows


def _labels(rows: Sequence[tuple]) -> str:
    doubled = len({row[1:5] for row in rows}) < len(rows)
    cut = any(row[5] for row in rows)
    seen: Counter[tuple] = Counter()
    table = io.StringIO()
    lines = csv.writer(table, lineterminator="\n")
    lines.writerow(NEEDED + OPTIONAL if cut else NEEDED)
    for name, *of, trial, start, end in rows:
        number = seen[tuple(of)] if doubled else trial
        seen[tuple(of)] += 1
        lines.writerow((name, *of, number, start, end) if cut else (name, *of, number))
    return table.getvalue()


# --- what a Trigno Discover export can say --------------------------------------------------------


def as_discover(recording: Recording) -> Recording:
    """The recording with the names and units that such an export can hold.

    Volts become millivolts: the format has seven decimals. A signal's title begins with what is
    measured. The streams of one sensor stand side by side.
    """
    streams = []
    for stream in recording.streams:
        sensor = _BREAKING.sub(" ", stream.sensor).strip() or "sensor"
        titles = [c.removeprefix(f"{stream.sensor}: ") for c in stream.channels]
        titles = [_BREAKING.sub(" ", title) for title in titles]
        kind = stream.modality
        titles = [t if modality_of(t) == kind else f"{kind.upper()} {t}" for t in titles]
        streams.append(replace(_in_mv(stream), sensor=sensor, channels=tuple(titles)))
    order = {sensor: at for at, sensor in enumerate(dict.fromkeys(s.sensor for s in streams))}
    return replace(
        recording, streams=tuple(sorted(streams, key=lambda stream: order[stream.sensor]))
    )


def _in_mv(stream: Stream) -> Stream:
    if usual_unit(stream.unit) != "V":
        return stream
    return replace(stream, samples=stream.samples * 1000, unit="mV")
