"""What stands first: the honest part, the row that ships, and the headline made from them."""

from __future__ import annotations

from dataclasses import dataclass

from kd_edge.base.formats import REFERENCE, formats_by_choice
from kd_edge.measure.results import Arena, Latency, Size
from kd_edge.report import words
from kd_edge.report.tree import Part, Report, Row
from kd_edge.runtimes.registry import runtimes_by_choice
from kd_edge.runtimes.results import KERAS, SCIKIT_LEARN, Parity
from kd_edge.tasks.figures import Accuracy, Figure

ROLES = ("composition", "student", "selector", "teacher", "ensemble", "baseline")


@dataclass(frozen=True)
class ShownPart:
    """A part that some model was tested on, and what it shares with training."""

    name: str
    part: Part | None

    @property
    def beside(self) -> str:
        """In brackets, what stands beside the name; '' where nothing is shared."""
        said = words.beside(self.part)
        return f"({said})" if said else ""

    @property
    def heading(self) -> str:
        """'random split (leaky: same subjects on both sides)'."""
        return f"{self.name} {self.beside}".strip()

    @property
    def leaky(self) -> bool:
        return self.part is not None and self.part.leaky


@dataclass(frozen=True)
class Headline:
    """The product in one line; every figure is None where it was not measured.

    Attributes:
        form: 'int8' or what was made instead.
        part: that `accuracy` was measured on: the first in order.
        accuracy_runtime, float_accuracy: where `accuracy` was measured; the float form's on it.
        parity: of all comparisons of runtimes, the one with the lowest class agreement.
        latency: median on this host.
        examples: what parity was compared on: 'windows', 'images' or 'pixels'.
    """

    product: str
    form: str
    size: Size | None
    part: ShownPart | None
    accuracy: Figure | None
    accuracy_runtime: str
    float_accuracy: Figure | None
    parity: Parity | None
    latency: Latency | None
    arena: Arena | None
    examples: str = "windows"

    def sentence(self) -> str:
        """The verdict, as the top of the page and of the terminal say it."""
        form = f" as {self.form}" if self.form else ""
        size = words.n_bytes(self.size.file_bytes) if self.size else f"size {words.NOT_MEASURED}"
        pieces = [f"{self.product}{form}: {size}"]
        if self.accuracy and self.part:
            bounds = self.accuracy.interval
            pieces.append(
                f"{words.percent(self.accuracy.value)} {self.accuracy.said} on {self.part.heading} "
                f"({100 * bounds.level:g} % interval {words.interval(bounds)} %)"
            )
        else:
            pieces.append(f"accuracy {words.NOT_MEASURED}")
        if self.parity:
            pieces.append(
                f"runtimes give the same class in at least "
                f"{words.percent(self.parity.class_agreement)} of {self.examples}"
            )
        else:
            pieces.append(f"parity of runtimes {words.NOT_MEASURED}")
        if self.latency:
            pieces.append(f"median {words.microseconds(self.latency.median_us)} on this host")
        else:
            pieces.append(f"latency {words.NOT_MEASURED}")
        return "; ".join(pieces) + "."


def parts_in_order(report: Report) -> tuple[ShownPart, ...]:
    """Every test part, leaky ones last, otherwise in the report's order."""
    parts = {part.name: part for part in report.parts}
    names = [part.name for part in report.parts if part.role == "test"]
    names += [name for row in report.rows for name in row.accuracy]
    found = [ShownPart(name, parts.get(name)) for name in dict.fromkeys(names)]
    return tuple(sorted(found, key=lambda part: part.leaky))


def rows_in_order(report: Report) -> tuple[Row, ...]:
    """The product first, then students, teachers, ensembles and baselines; smaller forms first.

    Of one form, the row of the oracle for a board stands before the others.
    """
    forms, runtimes = forms_by_choice(), (*runtimes_by_choice(), KERAS, SCIKIT_LEARN)

    def place(row: Row) -> tuple[bool, int, int, int, int]:
        # Rows of one model stay together: models in the order that the report has them.
        first = next(i for i, other in enumerate(report.rows) if other.model == row.model)
        return (
            row.model != report.product,
            _rank(row.role, ROLES),
            first,
            _rank(row.format, forms),
            _rank(row.runtime, runtimes),
        )

    return tuple(sorted(report.rows, key=place))


def forms_by_choice() -> tuple[str, ...]:
    """Every form; what ships stands first, the others stand in for it."""
    return (*formats_by_choice(), KERAS, "")


def best_accuracy(
    report: Report, model: str, form: str, part: str
) -> tuple[Row, Figure] | tuple[None, None]:
    """The row of one model and form with most windows of the part; TFLite Micro before others."""
    rows = [
        row
        for row in rows_in_order(report)
        if row.model == model and row.format == form and part in row.accuracy
    ]
    if not rows:
        return None, None
    row = max(rows, key=lambda row: row.accuracy[part].n_windows)
    return row, row.accuracy[part]


def headline(report: Report) -> Headline:
    """The product's figures that stand at the top of the report."""
    rows = [row for row in rows_in_order(report) if row.model == report.product]
    form = rows[0].format if rows else ""
    rows = [row for row in rows if row.format == form]
    part = next(
        (p for p in parts_in_order(report) if any(p.name in row.accuracy for row in rows)), None
    )
    row, accuracy = best_accuracy(report, report.product, form, part.name) if part else (None, None)
    latencies = [row.latency for row in rows if row.latency]
    return Headline(
        product=report.product,
        form=form,
        size=next((row.size for row in rows if row.size), None),
        part=part,
        accuracy=accuracy,
        accuracy_runtime=words.runtime_name(row.runtime) if row else "",
        float_accuracy=_float_accuracy(report, form, part.name) if part else None,
        parity=_worst_parity(report),
        latency=min(latencies, key=lambda latency: latency.median_us, default=None),
        arena=next((row.arena for row in rows if row.arena), None),
        examples=measure(report).counted.format(examples=report.examples),
    )


def measure(report: Report) -> type[Figure]:
    """The kind of figure that the report's models were measured with."""
    found = (type(figure) for row in report.rows for figure in row.accuracy.values())
    return next(found, Accuracy)


def measure_title(report: Report) -> str:
    """'Right answers, % of windows'."""
    return measure(report).title.format(examples=report.examples)


def of_product(report: Report, parity: Parity) -> bool:
    """Whether a comparison is about the product."""
    return parity.model in ("", report.product)


def _float_accuracy(report: Report, form: str, part: str) -> Figure | None:
    if form in (REFERENCE, KERAS, ""):
        return None
    for float_form in (REFERENCE, KERAS):
        _, accuracy = best_accuracy(report, report.product, float_form, part)
        if accuracy:
            return accuracy
    return None


def _worst_parity(report: Report) -> Parity | None:
    compared = [p for p in report.parity if p.kind == "runtimes" and of_product(report, p)]
    # Among equals the int8 file's: it is what ships.
    return min(compared, key=lambda p: (p.class_agreement, p.max_steps is None), default=None)


def _rank(name: str, order: tuple[str, ...]) -> int:
    return order.index(name) if name in order else len(order)
