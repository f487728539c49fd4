"""A bundle for phones: a page that recognises by itself, or a project for Android or iOS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from firmware_export.aot.cores import WASM, WASM_SIMD
from firmware_export.engines import PLAIN_C
from firmware_export.front_end import model_front_end
from firmware_export.phone.android import android_files
from firmware_export.phone.sources import phone_sources
from firmware_export.phone.swift import swift_files
from firmware_export.phone.wasm import WasmModule, build_wasm
from firmware_export.project import Project, Written, write_project
from firmware_export.sensors import usual_hop_s
from firmware_export.settings import FirmwareSettings
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import make_folder, own_path, write_text
from kd_edge.base.front_end import FrontEndConstants
from kd_edge.base.untrusted import read_regular
from kd_edge.base.version import __version__
from kd_edge.phone.motion import with_counts
from kd_edge.phone.page import PageFacts, render_page
from kd_edge.pipeline.boards.bundle_image import BoardBundle, load_board_bundle
from kd_edge.pipeline.boards.project import project_facts

PAGE = "index.html"
# Other kinds of what is written -> what makes their files.
APPS = {"android": android_files, "swift": swift_files}
# The fastest first. A browser takes the first that it can run.
WASM_CORES = (WASM_SIMD.name, WASM.name)
_OURS = b'<meta name="generator" content="kd-edge '
_IMAGE_S = 1.0  # an image stands so long where no window tells a time


@dataclass(frozen=True)
class ExportedPage:
    """A page that was written.

    Attributes:
        notes: what its user must know.
    """

    path: Path
    n_bytes: int
    modules: tuple[WasmModule, ...]
    model_sha256: str
    notes: tuple[str, ...]


def export_page(folder: Path, out: Path, *, hop_s: float | None = None) -> ExportedPage:
    """Write a bundle's product as one HTML file.

    Args:
        out: its folder. hop_s: from window to window; None: a quarter of a window.

    Raises:
        KdEdgeError KD_USAGE: the product's answers are no classes. KD_NOT_CAUSAL: the front end
            cannot run outside Python. KD_UNSUPPORTED_OP: plain C cannot compute the model.
        KdEdgeError KD_MISSING_TOOL, KD_COMPILE: as `build_wasm`. KD_OUTPUT: the place holds
            something else.
        KdEdgeError: as `load_board_bundle`, `model_front_end`.
    """
    path = own_path(out, PAGE)
    _check_place(path)
    bundle = load_board_bundle(folder)
    front_end = phone_front_end(bundle)
    hop_s = phone_hop_s(front_end, hop_s)
    facts = _facts(bundle, front_end, hop_s)
    settings = phone_settings(bundle, front_end)
    modules = tuple(
        build_wasm(
            phone_sources(bundle.product, core, settings, hop_s=hop_s if front_end else None), core
        )
        for core in WASM_CORES
    )
    page = render_page(facts, modules)
    make_folder(out)
    write_text(path, page)
    return ExportedPage(
        path, len(page.encode()), modules, bundle.model_sha256, _notes(bundle, front_end)
    )


@dataclass(frozen=True)
class ExportedApp:
    """A project for phones that was written.

    Attributes:
        libraries: binary interface -> bytes of its library; none where sources are compiled.
    """

    written: Written
    libraries: dict[str, int]
    model_sha256: str


def export_app(folder: Path, out: Path, kind: str, *, hop_s: float | None = None) -> ExportedApp:
    """Write a bundle's product as a library with a sample for a phone's own language.

    Args:
        kind: a key of `APPS`.

    Raises:
        KdEdgeError: as `export_page`, `build_library` and `write_project`.
    """
    bundle = load_board_bundle(folder)
    front_end = phone_front_end(bundle)
    facts = project_facts(bundle, PLAIN_C.name, "none", link="none")
    files = APPS[kind](
        bundle.product,
        phone_settings(bundle, front_end),
        bundle.golden,
        facts,
        hop_s=phone_hop_s(front_end, hop_s) if front_end else None,
    )
    written = write_project(out, Project(kind, "phone", facts, files, ()))
    libraries = {
        Path(path).parent.name: len(content)
        for path, content in files.items()
        if path.endswith(".so")
    }
    return ExportedApp(written, libraries, bundle.model_sha256)


def phone_front_end(bundle: BoardBundle) -> FrontEndConstants | None:
    """The front end that a phone runs; None where it takes int8 windows alone.

    Raises:
        KdEdgeError KD_USAGE: the product's answers are no classes. KD_NOT_CAUSAL: the front end
            looks ahead, so that the bundle has no plain C.
    """
    manifest = bundle.manifest
    if len(manifest.class_names) != bundle.golden.outputs[0].size:
        raise KdEdgeError(
            "KD_USAGE",
            f"a phone shows one class a window; '{manifest.product}' answers with "
            f"{bundle.golden.outputs[0].size} scores for {len(manifest.class_names)} classes",
            where=str(bundle.folder),
            hint="`kd-edge compile` gives plain C of such a model",
        )
    if manifest.front_end is None:
        return None
    if not manifest.front_end.causal:
        raise KdEdgeError(
            "KD_NOT_CAUSAL",
            "the bundle has no plain C: its front end looks at samples that are still to come",
            where=str(bundle.folder),
            hint="set causal = true in the recipe's front end, and build again",
        )
    front_end = model_front_end(with_counts(manifest.front_end), bundle.product.inputs)
    return front_end if all(stream.lsb is not None for stream in front_end.streams) else None


def phone_hop_s(front_end: FrontEndConstants | None, hop_s: float | None) -> float:
    """From window to window, as asked or as usual."""
    if hop_s is not None:
        return hop_s
    return _IMAGE_S if front_end is None else usual_hop_s(front_end)


def phone_settings(bundle: BoardBundle, front_end: FrontEndConstants | None) -> FirmwareSettings:
    """What the sources are told; golden vectors stay outside of them."""
    manifest = bundle.manifest
    return FirmwareSettings(
        name=manifest.title,
        labels=manifest.class_names,
        arena_bytes=0,
        arena_how="",
        front_end=front_end,
        golden=None,
        decision=manifest.decision,
        synthetic=manifest.synthetic,
        generator=f"kd-edge {__version__}",
    )


def _facts(bundle: BoardBundle, front_end: FrontEndConstants | None, hop_s: float) -> PageFacts:
    manifest = bundle.manifest
    return PageFacts(
        title=manifest.title,
        generator=f"kd-edge {__version__}",
        model_sha256=bundle.model_sha256,
        synthetic=manifest.synthetic,
        classes=manifest.class_names,
        output=bundle.product.outputs[0],
        temperature=manifest.temperature or 1.0,
        front_end=front_end,
        hop_s=hop_s,
        golden=bundle.golden,
        raw=bundle.raw,
        decision=manifest.decision,
    )


def _check_place(path: Path) -> None:
    """Refuse to overwrite a page that kd-edge did not write."""
    try:
        content = read_regular(path)
    except FileNotFoundError:
        return
    if _OURS not in content:
        raise KdEdgeError(
            "KD_OUTPUT",
            f"the folder holds an {path.name} that kd-edge did not write",
            where=str(path),
            hint="move it away, or name another folder",
        )


def _notes(bundle: BoardBundle, front_end: FrontEndConstants | None) -> tuple[str, ...]:
    notes = []
    if front_end is None and bundle.manifest.front_end is not None:
        notes.append(
            "the page plays the golden windows alone: the recordings do not say what a count of "
            "each sensor is; set lsb in the recipe's front end, and build again"
        )
    elif bundle.manifest.front_end is None:
        notes.append("the page plays the golden images alone: it has no camera")
    elif not bundle.raw:
        notes.append(
            "the bundle has no raw windows: the page plays golden windows, without signals"
        )
    return tuple(notes)
