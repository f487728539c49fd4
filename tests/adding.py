"""Records put into tables for a while."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def added(*pairs):
    """Records in their tables, by the one call each, until the block ends."""
    for table, name, record in pairs:
        table.add(record, name=name)
    try:
        yield
    finally:
        for table, name, _ in pairs:
            table.remove(name)
