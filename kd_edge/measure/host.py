"""The host in words: figures of time mean nothing without it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


def host() -> str:
    """Processor, cores and operating system, e.g. 'Intel Xeon, 2 cores, Linux 6.1'."""
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def _processor() -> str:
    # platform.processor() is empty or just the architecture on Linux.
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
