"""What code a kept result rests on. Oracle: copies of this very source, edited by hand."""

from __future__ import annotations

import gc
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from kd_edge.base import sources
from kd_edge.base.sources import ROOT, code_digest

WINDOWS, TRAINING = "kd_edge.pipeline.dataset", "kd_edge.pipeline.training"
CONVERTING, PROOF = "kd_edge.pipeline.converting", "kd_edge.pipeline.proof"


@pytest.fixture
def copied(tmp_path):
    """Both packages' source in another folder."""
    for package in sources.PACKAGES:
        only_source = shutil.ignore_patterns("__pycache__", "*.c", "*.h", "*.j2", "boards")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=only_source)
    return tmp_path


def digest(root, module: str) -> str:
    sources._module.cache_clear()
    sources._digest.cache_clear()
    return code_digest(module, root=root)


def test_neither_the_folder_nor_line_ends_count(copied):
    before = digest(ROOT, WINDOWS)
    path = copied / "kd_edge" / "frontend" / "filters.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert digest(copied, WINDOWS) == before


@pytest.mark.parametrize(
    ("module", "edited"),
    [
        (WINDOWS, "kd_edge/frontend/filters.py"),
        (WINDOWS, "kd_edge/examples/cutting.py"),
        (WINDOWS, "kd_edge/signals/sets/threedc.py"),
        (WINDOWS, "kd_edge/signals/simulate/muscles.py"),
        (TRAINING, "kd_edge/frontend/filters.py"),
        (TRAINING, "kd_edge/models/seed.py"),
        (TRAINING, "kd_edge/models/layers.py"),
        (TRAINING, "kd_edge/distill/steps.py"),
        (TRAINING, "kd_edge/distill/ensemble.py"),
        ("kd_edge.pipeline.together", "kd_edge/distill/fleet/program.py"),
        (CONVERTING, "kd_edge/convert/child.py"),
        (CONVERTING, "kd_edge/convert/fused.py"),
        (PROOF, "kd_edge/measure/arena_child.py"),
        (PROOF, "kd_edge/runtimes/interpreter.py"),
        ("kd_edge.pipeline.gates", "kd_edge/convert/lint.py"),
        ("kd_edge.pipeline.peers", "kd_edge/measure/baselines.py"),
    ],
)
def test_a_line_changed_anywhere_behind_a_stage_moves_its_digest(copied, module, edited):
    """Modules named in texts alone (a registry's, a child process's) count as well."""
    before = digest(copied, module)
    path = copied / edited
    path.write_text(path.read_text() + "\nMENDED = True\n")
    assert digest(copied, module) != before


def test_a_module_that_a_stage_does_not_import_does_not_count(copied):
    before = digest(copied, WINDOWS)
    path = copied / "kd_edge" / "models" / "seed.py"
    path.write_text(path.read_text() + "\nMENDED = True\n")
    assert digest(copied, WINDOWS) == before


def test_stages_in_several_threads_ask_at_the_same_time():
    """Oracle: the digests that one thread gives. Python 3.11 fails where a thread parses while
    another does; a pause in the garbage collector, which parsing starts, makes that certain."""
    modules = (WINDOWS, TRAINING, CONVERTING, PROOF)
    expected = [digest(ROOT, module) for module in modules]
    sources._module.cache_clear()
    sources._digest.cache_clear()
    threshold = gc.get_threshold()

    def pause(*_):
        time.sleep(1e-6)

    gc.callbacks.append(pause)
    gc.set_threshold(200)
    try:
        with ThreadPoolExecutor(len(modules)) as pool:
            found = list(pool.map(code_digest, modules, timeout=200))
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(pause)
    assert found == expected


def test_another_version_of_a_package_moves_the_digest(monkeypatch):
    before = digest(ROOT, WINDOWS)
    monkeypatch.setattr(sources, "_version", lambda name: f"{name} 99")
    assert digest(ROOT, WINDOWS) != before


def test_imports_are_found_wherever_they_stand(copied):
    """Relative ones, inside functions, under conditions; not those for type checkers alone."""
    package = copied / "kd_edge" / "models"
    (package / "new.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "from . import blocks\n"
        "from ..distill.logits import require_logits\n"
        "if TYPE_CHECKING:\n    import kd_edge.live.host\n"
        "else:\n    import kd_edge.measure.host\n"
        "def f():\n    from kd_edge.distill import losses as l\n"
    )
    _, found = sources._module(copied, "kd_edge.models.new")
    assert found == {
        "typing.TYPE_CHECKING",
        "kd_edge.models.blocks",
        "kd_edge.distill.logits.require_logits",
        "kd_edge.measure.host",
        "kd_edge.distill.losses",
    }


def test_every_package_that_is_imported_is_found_by_its_name():
    """Oracle: this environment, in which what the windows rest on is installed."""
    sources._module.cache_clear()
    for name in ("numpy", "scipy", "pandas", "pydantic", "sklearn", "serial", "tomli_w"):
        assert sources._version(name), name
