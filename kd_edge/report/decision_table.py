"""Confidence and decisions in a few lines of the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from kd_edge.report import words
from kd_edge.report.decision_tree import DecisionSection


def decision_lines(section: DecisionSection | None) -> Iterator[str]:
    """A line for each figure of each part; nothing where they were not measured."""
    if section is None:
        return
    for found in section.calibration:
        yield (
            f"confidence on {found.part}: calibration error "
            f"{100 * found.before.error:.1f} points, {100 * found.after.error:.1f} at temperature "
            f"{section.temperature:.3g}"
        )
    for covered in section.coverage:
        if covered.answered is not None:
            yield (
                f"rejection on {covered.part}: {words.percent(covered.answered)} answered, "
                f"{words.share(covered.accuracy)} of them right"
            )
    for unknown in section.unknown:
        yield (
            f"unknown classes beside {unknown.part}: area under ROC "
            f"{unknown.auroc['confidence']:.3f} by confidence, "
            f"{words.share(unknown.rejected_unknown)} rejected"
        )
    for events in section.events:
        score = next(p.score for p in events.points if p.windows == events.recipe_windows)
        yield (
            f"events of {events.part}: {score.found} of {score.n_events} found, "
            f"{score.alarms_a_minute:.1f} false alarms a minute, median delay "
            f"{words.seconds(score.median_delay_s)}"
        )
