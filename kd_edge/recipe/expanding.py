"""Tables that stand for several models: one for each seed, or one for each generation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kd_edge.base.settings import MisfitError

# More of either is a mistake in writing; the tables' own check refuses it.
MOST = 100


def expanded(tables: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's tables, with a table of its own for each seed and each generation asked for.

    A teacher `large` with `seeds = 3` becomes `large-1`, `large-2` and `large-3`; who learns from
    `large` learns from all three. A model `small` with `generations = 3` has `small-1` and
    `small-2` above it, of which each teaches the next, and none teaches others that name nobody.

    Raises:
        MisfitError: a table asks for what it cannot have.
    """
    teachers, students = (tables.get(kind, ()) for kind in ("teachers", "students"))
    if not _are_tables(teachers) or not _are_tables(students):
        return dict(tables)  # told by the recipe's own check
    if not any(_asked(t, key) > 1 for t in (*teachers, *students) for key in _KEYS):
        return dict(tables)
    _check(teachers, students)
    names = {
        t["name"]: [f"{t['name']}-{n + 1}" for n in range(n_seeds)]
        for t in teachers
        if (n_seeds := _asked(t, "seeds")) > 1
    }

    def renamed(table: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(given := table.get("teachers"), list | tuple):
            return dict(table)
        return dict(table) | {"teachers": [n for each in given for n in names.get(each, [each])]}

    above: list[dict[str, Any]] = []
    everybody: list[str] = []  # whom a student learns from that names nobody
    for table in map(renamed, teachers):
        if _asked(table, "generations") > 1:
            above += _earlier(table)
            made = [_last(table)]
        elif (name := table.get("name")) in names:
            made = [_without(table, "seeds") | {"name": each} for each in names[name]]
        else:
            made = [table]
        above += made
        everybody += [each["name"] for each in made if "name" in each]
    earlier, last = [], []
    for table in map(renamed, students):
        alone = "teachers" not in table and "aware" not in table
        if everybody and alone and table.get("distill", True):
            table["teachers"] = everybody
        generations = _asked(table, "generations") > 1
        earlier += _earlier(table) if generations else []
        last.append(_last(table) if generations else table)
    return {**tables, "teachers": [*above, *earlier], "students": last}


_KEYS = ("seeds", "generations")


def _are_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(table, dict) and isinstance(table.get("name", ""), str) for table in value
    )


def _asked(table: Mapping[str, Any], key: str) -> int:
    """How many it asks for; 1 where that is no number that is taken."""
    number = table.get(key, 1)
    whole = isinstance(number, int) and not isinstance(number, bool)
    return number if whole and 1 <= number <= MOST and "name" in table else 1


def _check(teachers, students) -> None:
    for kind, models in (("teachers", teachers), ("students", students)):
        for index, table in enumerate(models):
            many = {key: _asked(table, key) for key in _KEYS}
            if min(many.values()) > 1:
                raise MisfitError(f"{kind}.{index}.seeds", "either seeds or generations")
            if kind == "students" and many["seeds"] > 1:
                raise MisfitError(
                    f"{kind}.{index}.seeds",
                    "seeds belong to [[teachers]]: a student that learns from a teacher of several "
                    "seeds is their average as one model",
                )
            if many["generations"] > 1 and "layers_from" in table:
                raise MisfitError(
                    f"{kind}.{index}.layers_from",
                    "each generation learns from the one before it, and begins afresh",
                )
            if many["generations"] > 1 and not table.get("distill", True):
                raise MisfitError(
                    f"{kind}.{index}.distill",
                    "each generation learns from the one before it; without [[teachers]] the first "
                    "one learns from the labels alone",
                )


def _earlier(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The generations before the last one, as teachers."""
    plain = _without(table, "generations", "distill")
    found: list[dict[str, Any]] = []
    for n in range(1, _asked(table, "generations")):
        taught = {"teachers": [found[-1]["name"]]} if found else {}
        found.append(plain | taught | {"name": f"{table['name']}-{n}"})
    return found


def _last(table: Mapping[str, Any]) -> dict[str, Any]:
    before = f"{table['name']}-{_asked(table, 'generations') - 1}"
    return _without(table, "generations") | {"teachers": [before]}


def _without(table: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in keys}
