"""A bundle's student on this machine, for a live source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import RUN_ON
from kd_edge.base.version import __version__
from kd_edge.link.device import Device
from kd_edge.live.facts import Facts
from kd_edge.live.host import Host
from kd_edge.live.sources.source import Known, Source
from kd_edge.live.student import Cutting, Student, facts_beside, student_facts
from kd_edge.pipeline.bundle import RECIPE_FILE, Manifest, load_manifest
from kd_edge.pipeline.shipped import shipped
from kd_edge.recipe import load_recipe
from kd_edge.runtimes.registry import ORACLE

# A bundle of one window a recording says nothing of hops: windows overlap so much then.
_HOPS_A_WINDOW = 4


@dataclass(frozen=True, eq=False)
class StudentBundle:
    """What answers live of a bundle.

    Attributes:
        host: its model and front end in this process.
        cutting: how its windows are cut from a stream.
        shortest_s: that a recording lasts if a window is to be cut from it.
    """

    manifest: Manifest
    host: Host
    cutting: Cutting
    model_sha256: str
    shortest_s: float

    @property
    def known(self) -> Known:
        """What it knows of a board that runs it."""
        return Known(self.model_sha256, self.host.front_end, self.manifest.synthetic)

    def student(
        self, source: Source, url: str, *, in_order: bool, board: Device | None = None
    ) -> tuple[Student, Facts]:
        """The student behind an open source, and what is said of it. Raises as `Joining`.

        Args:
            board: answers its windows, too; see `Student`.
        """
        decides = self.manifest.decision is not None if board is None else board.hello.decides
        student = Student(
            source, self.host, self.cutting, decides=decides, in_order=in_order, board=board
        )
        rule = self.manifest.decision
        facts = student_facts(
            student,
            self.host,
            url,
            model_sha256=self.model_sha256,
            version=__version__,
            classes=self.manifest.class_names,
            temperature=rule.temperature if rule else self.manifest.temperature or 1.0,
            title=self.manifest.title,
            synthetic=self.manifest.synthetic or source.facts.synthetic,
        )
        return student, facts if board is None else facts_beside(facts, board)


def load_student(
    folder: Path, *, hop_s: float | None = None, runtime: str | None = None
) -> StudentBundle:
    """A bundle's product, ready for a stream.

    Windows are those that `build` cut from recordings: filters run through the stream. Those of a
    bundle of one window a recording are each filtered from rest, as a recording of its own.

    Args:
        hop_s: seconds from window to window; None: the recipe's, or a quarter of a window.
        runtime: a key of `RUNTIMES`; None: TFLite Micro.

    Raises:
        KdEdgeError: as `load_manifest`, `shipped` and `Host`. KD_USAGE: a bundle of images.
    """
    manifest = load_manifest(folder)
    if manifest.front_end is None:
        raise KdEdgeError(
            "KD_USAGE",
            "live shows what sensors stream, and this bundle takes images",
            where=str(folder),
            hint="`kd-edge bench` measures it on images",
        )
    windows = load_recipe(folder / RECIPE_FILE).windows
    product = shipped(folder, manifest)
    host = Host(product, manifest.front_end, rule=manifest.decision, runtime=runtime or ORACLE)
    alone = windows.hop_s is None and windows.filters != RUN_ON
    return StudentBundle(
        manifest,
        host,
        Cutting(
            start_s=0.0 if alone else windows.start_s,
            hop_s=hop_s or windows.hop_s or windows.length_s / _HOPS_A_WINDOW,
            anew=alone,
        ),
        product.sha256,
        windows.start_s + windows.length_s,
    )
