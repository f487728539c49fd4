"""`eval` as a whole: open boards, evaluate, write the report, and say whether all was well."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import check_folder, own_path
from kd_edge.pipeline.boards.asked import EvalSettings
from kd_edge.pipeline.boards.bundle_image import load_board_bundle
from kd_edge.pipeline.boards.evaluate import evaluate
from kd_edge.pipeline.boards.targets import Reach, open_targets
from kd_edge.pipeline.bundle import built_report
from kd_edge.pipeline.other_data import check_other
from kd_edge.pipeline.reporting import provenance, write_report
from kd_edge.pipeline.watch import Watch
from kd_edge.report.board_tree import BoardSection
from kd_edge.report.tree import Report
from kd_edge.runtimes.registry import ORACLE

EVAL_FOLDER = "eval"


@dataclass(frozen=True)
class Evaluated:
    """An evaluation that is written down.

    Attributes:
        folder: has report.json and report.html.
        error: what a script must know of: a board that failed, or answers that differ.
    """

    report: Report
    section: BoardSection
    folder: Path
    error: KdEdgeError | None


def evaluate_bundle(
    folder: Path,
    reach: Reach,
    settings: EvalSettings,
    *,
    out: Path | None,
    command: str,
    watch: Watch,
) -> Evaluated:
    """Evaluate a bundle on boards; the report is written as soon as one window is answered.

    Args:
        out: for the report; None: a folder named after the board and the kind of windows, in the
            bundle, whose own report stays as it was built.

    Raises:
        KdEdgeError: no bundle, no board, boards that answered nothing, or no place for the report.
        KeyboardInterrupt: Ctrl-C before the first answer.
    """
    check_other(settings.data, settings.reader, settings.options)
    bundle = load_board_bundle(folder)
    check_folder(out or own_path(folder, EVAL_FOLDER))  # now: asking a board may take an hour
    with open_targets(bundle, reach, tell=lambda what: watch.step(what, None, None)) as targets:
        section, fault = evaluate(bundle, targets, settings, progress=watch.step)
    if not section.n_answered:
        # An earlier report is worth more than one without an answer.
        raise fault or KeyboardInterrupt
    built = built_report(folder, bundle.manifest)
    report = replace(
        built,
        provenance=provenance(command, bundle.manifest.recipe_sha256),
        boards=(section,),
        caveats=(*built.caveats, "All but the board's figures are the build's."),
    )
    out = out or own_path(folder, f"{EVAL_FOLDER}/{_folder_name(section)}")
    write_report(out, report)
    return Evaluated(report, section, out, _differs(section) or fault)


def _folder_name(section: BoardSection) -> str:
    """Of a report; boards say their own names, which are not believed to be a folder's."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", section.board)[:64]
    return f"{plain}-{section.windows}"


def _differs(section: BoardSection) -> KdEdgeError | None:
    """Answers that are not TFLite Micro's, where they must be."""
    oracle = next((a for a in section.agreement if a.runtime == ORACLE), None)
    if section.golden_passed not in (None, section.golden_count):
        wrong = section.golden_count - section.golden_passed
        return KdEdgeError(
            "KD_GATE_PARITY",
            f"{wrong} of {section.golden_count} golden vectors failed on the board",
            where=section.board,
            hint="compiler flags or a kernel are wrong: try -O1, and see kd-edge selftest",
        )
    # Raw windows may differ by one int8 step at the model's input, and so in its scores.
    if section.windows == "int8" and oracle and oracle.same_scores < oracle.n_windows:
        return KdEdgeError(
            "KD_GATE_PARITY",
            f"{oracle.n_windows - oracle.same_scores} of {oracle.n_windows} answers of the board "
            "differ from TFLite Micro's",
            where=section.board,
            hint="the report lists them window by window",
        )
    if section.unsteady:
        return KdEdgeError(
            "KD_GATE_PARITY",
            f"{section.unsteady} windows were answered differently from time to time",
            where=section.board,
            hint="state is carried from window to window, or memory is overwritten",
        )
    return None
