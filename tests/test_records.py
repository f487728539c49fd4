"""The name of a record stands in its own modules alone: everything else reads the record.

Oracle: every text in the sources that is not a docstring.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("keras")

from firmware_export.aot.cores import CORES
from firmware_export.boards import BOARDS
from firmware_export.boards.kinds import KINDS, PROJECTS, TIMERS, UARTS
from firmware_export.engines import ENGINES
from firmware_export.flasher import FLASH_TOOLS
from kd_edge.base.formats import FORMATS
from kd_edge.base.registry import Registry
from kd_edge.distill.augmentations import AUGMENTATIONS
from kd_edge.distill.ensemble import ENSEMBLES
from kd_edge.distill.losses import LOSSES
from kd_edge.measure.baselines import BASELINES
from kd_edge.models import MODELS
from kd_edge.runtimes.registry import RUNTIMES
from kd_edge.tasks import TASKS

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Home:
    """Where the names of some tables stand. Elsewhere a name means something else, or is a fault.

    Attributes:
        modules: files or folders that have them.
        elsewhere: file -> why names stand there too.
        only_in: folders that are looked at, where names are everyday words; all where empty.
    """

    tables: tuple[Registry, ...]
    modules: tuple[str, ...]
    elsewhere: dict[str, str]
    only_in: tuple[str, ...] = ()


_PIPELINE = tuple(
    f"kd_edge/{layer}"
    for layer in ("runtimes", "measure", "report", "pipeline", "trials", "live", "cli")
)
_WINDOWS = "the kind of window on the wire, int8 or raw"
_PROPOSED = {"kd_edge/pipeline/proposing/learning.py": "what a proposed recipe names"}
HOMES = {
    "runtimes": Home(
        (RUNTIMES, ENGINES),
        ("kd_edge/runtimes", "firmware_export/engines.py"),
        {"kd_edge/pipeline/firmware.py": "the folder of the plain C in a bundle"},
    ),
    "formats": Home(
        (FORMATS,),
        ("kd_edge/base/formats.py", "kd_edge/convert/routes.py"),
        {
            "kd_edge/pipeline/boards/reporting.py": _WINDOWS,
            "kd_edge/pipeline/boards/asked.py": _WINDOWS,
            "kd_edge/cli/eval.py": _WINDOWS,
            "kd_edge/live/lsl_out.py": "a type of channel of the Lab Streaming Layer",
            **_PROPOSED,
        },
        # Elsewhere they are NumPy's names of types.
        only_in=(*_PIPELINE, "kd_edge/recipe"),
    ),
    "cores": Home(
        (CORES,),
        ("firmware_export/aot/cores.py", "firmware_export/aot/rates.py"),
        {
            "kd_edge/recipe/tables.py": "a recipe's default",
            "kd_edge/base/protocol.py": "who sends a message",
            "kd_edge/base/protocol_wearer.py": "who sends a message",
            "kd_edge/live/plain.py": "a column's title",
            "kd_edge/cli/live.py": "a key of the page's facts",
        },
    ),
    "boards": Home((BOARDS,), ("firmware_export/boards",), {}, only_in=("firmware_export/boards",)),
    "kinds of boards' parts": Home(
        (UARTS, TIMERS, PROJECTS, KINDS),
        ("firmware_export/boards/kinds.py", "firmware_export/projects/layouts.py"),
        {"firmware_export/flasher.py": "a tool of that name, and projects that it cannot flash"},
        only_in=("firmware_export", "kd_edge/cli", "kd_edge/pipeline"),
    ),
    "flashing tools": Home(
        (FLASH_TOOLS,),
        ("firmware_export/flasher.py", "firmware_export/boards"),
        {"firmware_export/projects/layouts.py": "a project of that name"},
    ),
    "tasks": Home(
        (TASKS,),
        ("kd_edge/tasks",),
        {
            "kd_edge/recipe/tables.py": "a recipe's default",
            "kd_edge/pipeline/bundle.py": "the task of bundles that do not name theirs",
            "kd_edge/recipe/decision.py": "the one task that decides over windows",
        },
    ),
    "losses and augmentations": Home(
        (LOSSES, AUGMENTATIONS, ENSEMBLES),
        ("kd_edge/distill",),
        {
            "kd_edge/pipeline/boards/bundle_image.py": "an array of a bundle",
            "kd_edge/pipeline/personal_bundle.py": "an array of a bundle",
            "kd_edge/pipeline/deciding.py": "a reason to reject a window",
            "kd_edge/pipeline/ruling.py": "a reason to reject a window",
            "kd_edge/report/decision_table.py": "a reason to reject a window",
            **_PROPOSED,
        },
        only_in=_PIPELINE,
    ),
    "models": Home(
        (MODELS,),
        ("kd_edge/models",),
        {
            "kd_edge/measure/baselines.py": "a baseline of that name",
            "kd_edge/report/results_table.py": "columns of the table of results",
            **_PROPOSED,
        },
    ),
    "baselines": Home(
        (BASELINES,),
        ("kd_edge/measure/baselines.py",),
        {
            **dict.fromkeys(
                (
                    "kd_edge/models/__init__.py",
                    "kd_edge/models/fitted.py",
                    "kd_edge/models/linear.py",
                ),
                "a model of that name",
            ),
            "kd_edge/report/results_table.py": "columns of the table of results",
            **_PROPOSED,
        },
    ),
}


def names_in(path: Path) -> set[str]:
    """Every text in a source that is not a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
    }


SOURCES = {
    path.relative_to(ROOT).as_posix(): names_in(path)
    for package in ("kd_edge", "firmware_export")
    for path in sorted(ROOT.glob(f"{package}/**/*.py"))
}


@pytest.mark.parametrize("what", HOMES)
def test_a_name_stands_in_its_own_modules_alone(what):
    """Everything else reads the record. Oracle: the sources' own texts."""
    home = HOMES[what]
    names = {name for table in home.tables for name in table}
    found = {path: names & texts for path, texts in SOURCES.items() if names & texts}
    if home.only_in:
        found = {path: n for path, n in found.items() if path.startswith(home.only_in)}
    outside = {path: n for path, n in found.items() if not path.startswith(home.modules)}
    assert {path: n for path, n in outside.items() if path not in home.elsewhere} == {}
    assert set(home.elsewhere) <= set(outside), "an exception that nothing needs any more"
