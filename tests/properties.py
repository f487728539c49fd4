"""How Hypothesis draws: the same examples in every run, so that no test fails by chance.

`pytest --hypothesis-profile=search` draws others each time, and finds more.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

_COMMON = {
    # No property is about speed; a slow machine would fail it now and then.
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow],
    "print_blob": True,
}


def draw_the_same() -> None:
    """Examples follow from a test's own source, in CI and here."""
    settings.register_profile("kd-edge", derandomize=True, **_COMMON)
    settings.register_profile("search", **_COMMON)
    settings.load_profile("kd-edge")
    # Hypothesis also draws constants of our modules that are imported by now: these depend on which
    # tests the same worker ran before. No option turns it off.
    providers.HypothesisProvider._local_constants = providers.Constants()
