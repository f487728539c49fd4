"""Which tests one worker of a parallel run takes, and which come first.

A worker takes whole files: what a file's fixtures compile and train is made once. xdist's own
groups (`--dist loadgroup`) are lost without a word by xdist 3.8 under pytest 9.2
(https://github.com/pytest-dev/pytest-xdist/issues/1386).
"""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

# Files that use the session's `bundle`, which takes a minute to build.
OF_THE_BUNDLE = (
    *("test_pipeline_build", "test_pipeline_gates"),
    *("test_cli_boards", "test_cli_firmware", "test_cli_ports", "test_library"),
    *(
        "test_pipeline_personalise",
        "test_pipeline_personalise_forms",
        "test_live_student",
        "test_platforms_arm",
    ),
)
# What takes long begins first, so that no worker ends long after the others.
LONG = (
    *OF_THE_BUNDLE,
    "test_recipes_shipped",
    "test_products_built",
    "test_board_students",
    "test_link_fuzz",
    "test_aot_random_graphs",
    "test_aot_conv",
    "test_aot_cores",
)


class ByFile(LoadScopeScheduling):
    """Whole files to a worker, in the order of collection; the bundle's files are as one."""

    def __init__(self, config, log=None):
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        file = file_of(nodeid)
        return "bundle" if file in OF_THE_BUNDLE else file


def file_of(nodeid: str) -> str:
    return PurePosixPath(nodeid.split("::", 1)[0]).stem


def long_first(items: list) -> None:
    """Reorder tests in place, so that files in LONG come first, in its order."""
    place = {name: i for i, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(file_of(item.nodeid), len(place)))
