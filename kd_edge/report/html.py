"""The report as one HTML file that needs no network: pictures, style and script are in it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from kd_edge.base.templates import templates
from kd_edge.report import (
    ablation,
    board_table,
    choose,
    plots,
    plots_cost,
    plots_decision,
    plots_selection,
    selection_table,
    words,
)
from kd_edge.report.choose import Headline, ShownPart
from kd_edge.report.plots_board import board_pictures
from kd_edge.report.svg import Picture
from kd_edge.report.table import answered_lines, lineage_lines, note_lines
from kd_edge.report.tree import Report, Row, SampleWindow
from kd_edge.tasks.figures import Figure

# What a page holds itself: scripts without a type run, data do not.
_INLINE = re.compile(r"<(script|style)(?: id=\"\w+\")?>(.*?)</\1>", re.DOTALL)
_MOST_CONFUSIONS = 12
_MOST_CLASSES = 12


@dataclass(frozen=True)
class Confusion:
    """How often one class was taken for another: `n` of `total` of the true class."""

    true: str
    predicted: str
    n: int
    total: int


@dataclass(frozen=True)
class Pictures:
    """Every picture of the page; None or empty where there is nothing to draw."""

    curves: tuple[Picture, ...]
    tradeoff: Picture | None
    confusion: Picture | None
    subjects: Picture | None
    folds: tuple[Picture, ...]
    latency: Picture | None
    arena: Picture | None
    flash: Picture | None
    samples: tuple[tuple[SampleWindow, tuple[Picture, ...]], ...]


@dataclass(frozen=True)
class DecisionPictures:
    """Accuracy against coverage; and against delay, a picture for each part with streams."""

    coverage: Picture
    events: tuple[Picture, ...]


@dataclass(frozen=True)
class SelectionPictures:
    """A cascade's curve, and every way to answer over its cost; None where not known."""

    curve: Picture | None
    ways: Picture | None


def render_html(report: Report) -> str:
    """The whole page; the same report gives the same bytes with the same Matplotlib."""
    headline = choose.headline(report)
    tested = choose.parts_in_order(report)
    return page_template("report.html.j2").render(
        report=report,
        headline=headline,
        tested=tested,
        rows=choose.rows_in_order(report),
        pictures=_pictures(report, headline),
        confusions=confusions(headline.accuracy) if headline.accuracy else (),
        weakest=_weakest(headline.accuracy),
        detailed=_detailed(report, headline),
        subjects=_per_subject(report, headline, tested),
        class_names=tuple(dict.fromkeys(c for part in report.parts for c in part.class_counts)),
        measured=choose.measure(report),
        measured_title=choose.measure_title(report),
        words=words,
        answered=tuple(answered_lines(report)),
        decision_pictures=_decision_pictures(report),
        selection_pictures=_selection_pictures(report),
        selection_words=selection_table,
        lineage=lineage_lines(report),
        notes=tuple(note_lines(report)),
        board_words=board_table,
        ablation=ablation,
        board_pictures=[board_pictures(b, i) for i, b in enumerate(report.boards)],
    )


def confusions(accuracy: Figure) -> tuple[Confusion, ...]:
    """The most frequent mistakes, most frequent first; ties in the order of the classes."""
    names = accuracy.class_names
    found = [
        Confusion(names[true], names[predicted], n, sum(row))
        for true, row in enumerate(accuracy.confusion)
        for predicted, n in enumerate(row)
        if n and predicted != true
    ]
    return tuple(sorted(found, key=lambda c: (-c.n, -c.n / c.total))[:_MOST_CONFUSIONS])


def _weakest(accuracy: Figure | None):
    """The classes that are recognised least often."""
    if accuracy is None:
        return ()
    return sorted(accuracy.per_class, key=lambda group: group.value)[:_MOST_CLASSES]


def _per_subject(
    report: Report, headline: Headline, tested: tuple[ShownPart, ...]
) -> tuple[tuple[ShownPart, Figure], ...]:
    """The product's accuracies that tell subjects apart, part by part."""
    found = []
    for part in tested:
        _, accuracy = choose.best_accuracy(report, report.product, headline.form, part.name)
        if accuracy and accuracy.per_subject:
            found.append((part, accuracy))
    return tuple(found)


def _detailed(report: Report, headline: Headline) -> Row | None:
    """The row that ships, for its layers."""
    rows = choose.rows_in_order(report)
    return next(
        (row for row in rows
         if row.model == report.product and row.format == headline.form and row.size),
        None,
    )  # fmt: skip


def _pictures(report: Report, headline: Headline) -> Pictures:
    curves = (plots.training_curves(curve, i) for i, curve in enumerate(report.curves))
    part, accuracy = headline.part, headline.accuracy
    who = f"{headline.product} {headline.form} on {headline.accuracy_runtime}"
    measured = part is not None and accuracy is not None
    return Pictures(
        curves=tuple(curve for curve in curves if curve),
        tradeoff=plots.accuracy_against_bytes(report, part) if measured else None,
        confusion=plots.confusion(accuracy, part, who, headline.examples) if measured else None,
        subjects=_subjects_picture(report, headline, who) if measured else None,
        folds=_fold_pictures(report),
        latency=plots_cost.latency(report),
        arena=plots_cost.arena(report),
        flash=plots_cost.flash(report),
        samples=_sample_pictures(report),
    )


def _decision_pictures(report: Report) -> DecisionPictures | None:
    section = report.decisions
    if section is None or not section.coverage:
        return None
    drawn = (plots_decision.events(found, i) for i, found in enumerate(section.events))
    return DecisionPictures(plots_decision.coverage(section), tuple(drawn))


def _selection_pictures(report: Report) -> SelectionPictures | None:
    section = report.selection
    if section is None:
        return None
    return SelectionPictures(plots_selection.curve(section), plots_selection.ways(section))


def _subjects_picture(report: Report, headline: Headline, who: str) -> Picture | None:
    return plots.groups(
        headline.accuracy.per_subject, name="subjects", title="Accuracy of each subject",
        caption=f"{who}, {headline.part.heading}. Dashed: all {report.examples} together.",
        overall=headline.accuracy.value, measured=choose.measure_title(report),
    )  # fmt: skip


def _fold_pictures(report: Report) -> tuple[Picture, ...]:
    pictures = []
    for index, model in enumerate(dict.fromkeys(fold.model for fold in report.folds)):
        picture = plots.groups(
            [plots.fold_group(fold) for fold in report.folds if fold.model == model],
            name=f"folds-{index}", title=f"Folds: {model}", overall=None,
            caption="Float student, one training a fold.", measured=choose.measure_title(report),
        )  # fmt: skip
        if picture:
            pictures.append(picture)
    return tuple(pictures)


def _sample_pictures(
    report: Report,
) -> tuple[tuple[SampleWindow, tuple[Picture, ...]], ...]:
    """A window's inputs together: the first input with the pictures of all."""
    groups: dict[tuple[str, str], list[tuple[SampleWindow, Picture]]] = {}
    for index, window in enumerate(report.samples):
        picture = plots_cost.sample(window, index)
        if picture:
            groups.setdefault((window.label, window.recording), []).append((window, picture))
    return tuple((found[0][0], tuple(p for _, p in found)) for found in groups.values())


def page_template(name: str, package: str = "kd_edge.report"):
    """A page of a package's `templates/`, to be rendered; it may include the report's."""
    return templates(package, "kd_edge.report", escape=True).get_template(name)


def content_policy(page: str, *, scripts: Sequence[str] = (), more: str = "") -> str:
    """A content security policy: the page's own scripts and styles by their digests, and no others.

    Args:
        scripts: further sources of scripts. more: further directives.
    """
    digests: dict[str, list[str]] = {"script": [], "style": []}
    for kind, content in _INLINE.findall(page):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        digests[kind].append(f"'sha256-{digest}'")
    return (
        f"default-src 'none'; script-src {' '.join((*digests['script'], *scripts))}; "
        f"style-src {' '.join(digests['style'])}; img-src data:; "
        f"base-uri 'none'; form-action 'none'{'; ' * bool(more)}{more}"
    )
