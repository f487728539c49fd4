"""`--costs`: what each test cost, in processor seconds of its worker and of all that it started.

Wall time depends on what else the machine does; processor time hardly does.
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from dataclasses import dataclass

import pytest

_PROPERTY = "costs"


@dataclass(frozen=True)
class Cost:
    """Seconds of the worker's processor time, its ended children's, and its clock."""

    own_s: float
    children_s: float
    wall_s: float

    @property
    def cpu_s(self) -> float:
        return self.own_s + self.children_s


def table(costs: dict[str, Cost], *, n_tests: int = 40) -> list[str]:
    """Lines: every file's costs, then the dearest tests; the dearest first.

    Args:
        costs: node id -> its cost, with the fixtures that were made for it.
        n_tests: how many single tests are named.
    """
    files, counts = Counter(), Counter(name.split("::")[0] for name in costs)
    for name, cost in costs.items():
        files[name.split("::")[0]] += cost.cpu_s
    total = sum(files.values())
    lines = [f"{total:8.1f} s of processor time in {len(costs)} tests"]
    lines += [f"{cpu:8.1f} s  {counts[file]:4d} tests  {file}" for file, cpu in files.most_common()]
    lines.append("   cpu s  children s  wall s")
    dearest = sorted(costs, key=lambda name: -costs[name].cpu_s)[:n_tests]
    for name in dearest:
        cost = costs[name]
        lines.append(f"{cost.cpu_s:8.1f}  {cost.children_s:10.1f}  {cost.wall_s:6.1f}  {name}")
    return lines


class CostsPlugin:
    """Measures in each worker; the process that reports prints the table."""

    def __init__(self):
        self._begun: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self):
        self._begun = _now()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item):
        try:
            return (yield)
        finally:
            spent = [round(now - then, 3) for now, then in zip(_now(), self._begun, strict=True)]
            item.user_properties.append((_PROPERTY, spent))

    def pytest_terminal_summary(self, terminalreporter):
        costs = {}
        for reports in terminalreporter.stats.values():
            for report in reports:
                for name, spent in getattr(report, "user_properties", ()):
                    if name == _PROPERTY:
                        costs[report.nodeid] = Cost(*spent)
        terminalreporter.section("costs")
        for line in table(costs):
            terminalreporter.write_line(line)


def _now() -> tuple[float, float, float]:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = [usage.ru_utime + usage.ru_stime for usage in (own, children)]
    return *spent, time.perf_counter()
