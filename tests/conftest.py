"""Fixtures that several test files share, and what holds for every test."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from build_samples import RECIPE
from costs import CostsPlugin
from link_harness import Terminal, build_board
from neutral import make_neutral
from programs import need
from properties import draw_the_same
from scheduling import OF_THE_BUNDLE, ByFile, file_of, long_first

draw_the_same()

_HOME = "KD_EDGE_TESTS_HOME"  # the home of this run, which its workers share

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"

# Programs that a mark asks for.
TOOLS_OF_MARKS = {
    "qemu": ("qemu-system-arm", "arm-none-eabi-gcc"),
    "qemu_riscv": ("qemu-system-riscv32", "riscv64-unknown-elf-gcc"),
    "cross_compilers": ("gcc", "clang", "arm-none-eabi-gcc", "riscv64-unknown-elf-gcc"),
}


def pytest_addoption(parser):
    parser.addoption(
        "--costs", action="store_true", help="print what each file and test cost, in processor time"
    )


def pytest_configure(config):
    """One environment for the whole run; workers inherit it."""
    if config.getoption("--costs"):
        config.pluginmanager.register(CostsPlugin())
    if _HOME not in os.environ:
        os.environ[_HOME] = home = tempfile.mkdtemp(prefix="kd-edge-tests-home-")
        config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    make_neutral(os.environ[_HOME])


def pytest_terminal_summary(terminalreporter):
    """A test that passed only when it ran again keeps the report of its failure."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"failed at first: {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Whole files to a worker, whatever --dist says."""
    return ByFile(config, log)


def pytest_collection_modifyitems(config, items):
    """In a parallel run what takes long begins first."""
    if hasattr(config, "workerinput"):
        long_first(items)


@pytest.fixture(autouse=True)
def _skip_without_tools(request):
    """A mark names the programs that its test needs."""
    for mark, tools in TOOLS_OF_MARKS.items():
        if request.node.get_closest_marker(mark):
            need(*tools)


@pytest.fixture(autouse=True)
def _bundle_is_built_once(request):
    """Keeps OF_THE_BUNDLE complete."""
    if {"bundle", "recipe"} <= set(request.fixturenames):
        assert file_of(request.node.nodeid) in OF_THE_BUNDLE, "name the file in OF_THE_BUNDLE"


@pytest.fixture
def shared_data():
    """A function from a set's folder name to its path; skips where the sets are absent."""

    def locate(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(
                f"no recordings at {path}: this test reads the public set '{name}' in place"
            )
        return path

    return locate


@pytest.fixture
def write(tmp_path):
    """A function that writes a recording's text or bytes into a file, `f.csv` if it has no name."""

    def to_file(content: str | bytes, name: str = "f.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return to_file


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A window cache of its own, so that tests neither read nor fill the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def converter():
    """One converter for all builds of a worker: TensorFlow takes seconds to start."""
    from kd_edge.convert.process import one_converter

    with one_converter() as kept:
        yield kept


@pytest.fixture(scope="session")
def recipe(tmp_path_factory, cache, converter):
    """Path of a recipe that builds in less than a minute."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def bundle(tmp_path_factory, recipe):
    """Its bundle, built once: one worker takes all files that tests/scheduling.py says use it."""
    from kd_edge.cli import run

    out = tmp_path_factory.mktemp("build") / "tiny"
    assert run(["build", str(recipe), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The link's test board, built once for the tests of a file."""
    return build_board(tmp_path_factory.mktemp("board"))


@pytest.fixture
def terminal(program):
    """A pseudo-terminal with the test board behind it."""
    made = Terminal(program)
    yield made
    made.close()
