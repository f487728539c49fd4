"""A set of images that is larger than memory is read, written and gone through."""

from __future__ import annotations

import subprocess
import sys

import pytest

# 240 images of 256 x 256 x 3 are 189 MB as float32. The process may have 100 MB beside its start.
_PROGRAM = """
import resource, sys
from pathlib import Path
import numpy as np
from kd_edge.base.pixels import PixelInput
from kd_edge.examples.pictures import image_examples
from kd_edge.images.image import Image

def picture(i):
    return lambda: np.full((200, 200, 3), i, np.uint8)

images = [Image(source=str(i), content_sha256=str(i), pixels=picture(i), label=str(i % 2))
          for i in range(240)]
wanted = PixelInput(size=(256, 256), channels="rgb", resize="stretch", range=(0.0, 255.0))
image_examples(images[:2], wanted, ("0", "1"))  # whatever is imported late
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
most = 1024 * int(status["VmData"].split()[0]) + 100_000_000
resource.setrlimit(resource.RLIMIT_DATA, (most, most))
file = Path(sys.argv[1]) if len(sys.argv) > 1 else None
examples = image_examples(images, wanted, ("0", "1"), file=file)
means = np.concatenate([block.mean(axis=(1, 2, 3)) for block in examples.inputs["image"].blocks()])
print(np.abs(means - np.arange(240)).max() < 1e-3, examples.on_disk)
"""


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of a process's memory is Linux's")
def test_a_set_larger_than_memory_is_read_from_disk_under_a_limit(tmp_path):
    """Oracle: each picture's grey, and the same limit, which the set in memory breaks."""
    done = run(tmp_path / "examples.npy")
    assert done.stdout.split() == ["True", "True"], done.stderr
    assert "MemoryError" in run().stderr
