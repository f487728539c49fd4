"""A bundle as a firmware project for a board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from firmware_export.boards.board import Board
from firmware_export.engines import PLAIN_C
from firmware_export.project import (
    ProjectFacts,
    Written,
    as_seen_by,
    check_link,
    project_files,
    project_kind,
    write_project,
)
from firmware_export.projects.layouts import SERIAL
from firmware_export.sensors import StreamSettings
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import layout_samples
from kd_edge.base.version import __version__
from kd_edge.pipeline.boards.bundle_image import BoardBundle, bundle_firmware, load_board_bundle


@dataclass(frozen=True)
class ProjectRequest:
    """What is asked of a project.

    Attributes:
        kind: a key of `firmware_export.projects.layouts.LAYOUTS`; None: what the board's users
            know best.
        engine: a key of `ENGINES`.
        sensors: 'replay', 'stub', or None: replay on emulated boards where the bundle has raw
            windows, the stub elsewhere.
        hop_s: from window to window of a stream; None: half a window.
        personal: a wearer's last layer can be sent to the board while it runs.
        keeps: the network keeps what it has computed of one window for the next.
        link: one of `firmware_export.projects.layouts.LINKS`.
    """

    board: Board
    kind: str | None = None
    engine: str = PLAIN_C.name
    sensors: str | None = None
    hop_s: float | None = None
    personal: bool = False
    keeps: bool = False
    link: str = SERIAL


@dataclass(frozen=True)
class Exported:
    """A project that was written, and what its user must know of it."""

    kind: str
    facts: ProjectFacts
    written: Written
    notes: tuple[str, ...]


def export_project(folder: Path, out: Path, request: ProjectRequest) -> Exported:
    """Write the project of a bundle's product.

    Raises:
        KdEdgeError: as `load_board_bundle`, `project_kind`, `check_link`, `bundle_firmware` and
            `write_project`.
        KdEdgeError KD_USAGE: replay asked for, and the bundle has no raw windows.
    """
    bundle = load_board_bundle(folder)
    kind = project_kind(request.board, request.kind)
    check_link(request.board, kind, request.link)
    board = as_seen_by(request.board, kind)
    sensors = _sensors(bundle, request)
    firmware = bundle_firmware(
        bundle,
        board,
        engine=request.engine,
        stream=_stream(bundle, request, sensors),
        replay=bundle.raw if sensors == "replay" else (),
        personal=request.personal,
    )
    facts = project_facts(bundle, request.engine, sensors, link=request.link)
    written = write_project(out, project_files(firmware, board, facts, kind=kind))
    return Exported(kind, facts, written, _notes(bundle, request, sensors))


def project_facts(
    bundle: BoardBundle, engine: str, sensors: str, *, link: str = SERIAL
) -> ProjectFacts:
    """What a project of the bundle says of itself."""
    return ProjectFacts(
        title=bundle.manifest.title,
        model_sha256=bundle.model_sha256,
        synthetic=bundle.manifest.synthetic,
        generator=f"kd-edge {__version__}",
        engine=engine,
        sensors=sensors,
        link=link,
    )


def _sensors(bundle: BoardBundle, request: ProjectRequest) -> str:
    if request.sensors == "replay" and not (bundle.raw and bundle.front_end):
        raise KdEdgeError(
            "KD_USAGE",
            "the bundle has no raw windows that sensors could play",
            where=str(bundle.folder),
            hint="build it again with this kd-edge, or take --sensors stub",
        )
    if bundle.front_end is None:
        return "none"
    if request.sensors is not None:
        return request.sensors
    return "replay" if request.board.emulated and bundle.raw else "stub"


def _stream(bundle: BoardBundle, request: ProjectRequest, sensors: str) -> StreamSettings | None:
    if sensors != "none":
        return StreamSettings(hop_s=_hop_s(bundle, request), keeps=request.keeps)
    if request.keeps:
        raise KdEdgeError(
            "KD_USAGE",
            "a board that takes int8 windows alone has no stream whose windows overlap",
            hint="leave --keep-columns out",
        )
    return None


def _hop_s(bundle: BoardBundle, request: ProjectRequest) -> float:
    """As asked, or half of the longest stream's window."""
    if request.hop_s is not None:
        return request.hop_s
    front_end = bundle.front_end
    rates = {stream.name: stream.rate_hz for stream in front_end.streams}
    lengths = [
        layout_samples(layout) / rates[name]
        for layout in front_end.inputs
        for name in layout.streams
    ]
    return max(lengths) / 2


def _notes(bundle: BoardBundle, request: ProjectRequest, sensors: str) -> tuple[str, ...]:
    notes = []
    if bundle.manifest.front_end is None:
        notes.append("the board takes int8 images: what fits and quantises them is the sender's")
    elif bundle.front_end is None:
        notes.append(
            "the board takes int8 windows only: the front end is not causal, or the recordings do "
            "not say what a count of each sensor is"
        )
    elif sensors == "stub" and request.board.emulated and request.sensors is None:
        notes.append("the bundle has no raw windows to play: the sensors are a stub")
    if not request.board.run:
        notes.append(f"we have never run this project on its board, {request.board.title}")
    return tuple(notes)
