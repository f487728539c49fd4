"""Students that are others, fine-tuned behind int8's rounding: what they share with those."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kd_edge.base.errors import nearest
from kd_edge.base.formats import FORMATS
from kd_edge.base.settings import MisfitError

if TYPE_CHECKING:
    from kd_edge.recipe.tables import Recipe

# Keys that such a student takes from the one that it starts from.
SHARED = ("model", "inputs", "options")


def take_from_students(tables: Any) -> Any:
    """A recipe's tables, with what fine-tuned students share with others written into them.

    Args:
        tables: as read; what is no recipe's is left for the checks of types.

    Raises:
        MisfitError: one starts from no float student above it.
    """
    students = tables.get("students") if isinstance(tables, dict) else None
    if not isinstance(students, list | tuple) or not all(isinstance(s, dict) for s in students):
        return tables
    floats: dict[str, dict] = {}
    completed = []
    for index, student in enumerate(students):
        aware = student.get("aware")
        if isinstance(aware, dict) and isinstance(aware.get("of"), str):
            start = _found(floats, aware["of"], index, str(student.get("name")))
            completed.append({key: start[key] for key in SHARED if key in start} | student)
            continue
        completed.append(student)
        if aware is None:
            floats[str(student.get("name"))] = student
    return {**tables, "students": completed}


def _found(floats: Mapping[str, Any], of: str, index: int, name: str) -> Any:
    if of not in floats:
        told = f"no float student '{of}' stands above '{name}'{nearest(of, floats)}"
        above = ", ".join(floats) or "nothing"
        raise MisfitError(f"students.{index}.aware.of", f"{told}; above it: {above}")
    return floats[of]


def check_aware(recipe: Recipe) -> None:
    """Each starts from a student above it that is trained in float, and has its layers."""
    floats: dict[str, Any] = {}
    for index, student in enumerate(recipe.students):
        if student.aware is None:
            floats[student.name] = student
            continue
        start = _found(floats, student.aware.of, index, student.name)
        if start.is_fitted:
            told = f"'{start.name}' is fitted at once, and cannot be trained on: name another"
            raise MisfitError(f"students.{index}.aware.of", told)
        for key in SHARED:
            if getattr(student, key) != getattr(start, key):
                raise MisfitError(
                    f"students.{index}.{key}",
                    f"'{student.name}' is '{start.name}', fine-tuned: leave {key} out",
                )
        where = f"students.{index}.aware.weight_bits"
        _check_format(recipe, student.aware.weight_bits, where)


def _check_format(recipe: Recipe, weight_bits: int, where: str) -> None:
    takers = [
        form.name for form in FORMATS.values() if form.integer and form.weight_bits == weight_bits
    ]
    if not set(takers) & set(recipe.conversion.formats):
        raise MisfitError(
            where, f"weights of {weight_bits} bits need {' or '.join(takers)} in conversion.formats"
        )
