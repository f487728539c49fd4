"""Reading and writing a recipe as TOML; a mistake names its key and the nearest known one."""

from __future__ import annotations

import errno
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.settings import UNKNOWN_KEY, MisfitError
from kd_edge.base.untrusted import check_depth
from kd_edge.recipe.search import Search, check_score, place_of, values_of
from kd_edge.recipe.tables import TEACHER_FORMS, Recipe, Table

MOST_RECIPE_BYTES = 1_000_000
# Python's reader takes minutes for a key of some thousand dots.
_MOST_DOTS = 200
_A_TABLE = "it takes a table of keys"
_A_LIST = "it takes a list, in square brackets"
# Of a value of the wrong kind, which the validator names in Python's words.
_IN_TOML = {
    "dict_type": _A_TABLE,
    "model_type": _A_TABLE,
    "dataclass_type": _A_TABLE,
    "tuple_type": _A_LIST,
}


def load_recipe(path: Path, *, quick: bool = False) -> Recipe:
    """Read and validate a recipe.

    Args:
        quick: lay the recipe's [quick] table over it: the form that shows that the chain works.

    Raises:
        KdEdgeError KD_NO_FILE, KD_RECIPE_SYNTAX (not TOML), KD_RECIPE_KEY (unknown key, with the
            nearest), KD_RECIPE_VALUE (out of range, missing, or at odds with another).
    """
    return _beside(path, parse_recipe(_text(path), source=str(path), quick=quick))


def load_search(
    path: Path, *, space: Path | None = None, quick: bool = False
) -> tuple[Recipe, Search]:
    """A recipe and its [search] table.

    Args:
        space: a TOML file that holds the keys of [search], in place of the recipe's own table.

    Raises:
        KdEdgeError: as `load_recipe`, also for keys of the space that the recipe does not have.
    """
    recipe, search = _parse(_text(path), str(path), quick=quick)
    recipe = _beside(path, recipe)
    if space is not None:
        return recipe, _searched(_tables(_text(space), str(space)), recipe, str(space), "")
    if search is None:
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            "the recipe does not say what to search",
            where=f"{path}, search.space",
            hint="add a [search.space] table, or name a file with --space; docs/search.md has one",
        )
    return recipe, search


def _beside(path: Path, recipe: Recipe) -> Recipe:
    """The recipe with the files of its teachers where they lie, seen from its own place."""
    folder = Path(path).absolute().parent
    return recipe.with_files(lambda file: str(folder / file))


def _text(path: Path) -> str:
    try:
        return _read_text(Path(path))
    except OSError as error:
        raise KdEdgeError(
            "KD_NO_FILE",
            f"cannot read the recipe: {error.strerror or error}",
            where=str(path),
            hint="recipes/ holds some to start from",
        ) from error
    except UnicodeDecodeError as error:
        raise KdEdgeError(
            "KD_RECIPE_SYNTAX",
            f"byte {error.start} is not UTF-8 text: a recipe is a TOML file",
            where=str(path),
            hint="recipes/ holds some to start from",
        ) from error


def _read_text(path: Path) -> str:
    with open(path, "rb") as stream:  # a pipe too, as of a shell's <(…)
        content = stream.read(MOST_RECIPE_BYTES + 1)
    if len(content) > MOST_RECIPE_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {MOST_RECIPE_BYTES:,} bytes")
    return content.decode("utf-8")


def parse_recipe(text: str, *, source: str = "recipe", quick: bool = False) -> Recipe:
    """`load_recipe` from text."""
    return _parse(text, source, quick=quick)[0]


def _parse(text: str, source: str, *, quick: bool) -> tuple[Recipe, Search | None]:
    """Both forms are read in any case: a mistake in one is told before somebody needs it."""
    tables = _tables(text, source)
    changes = tables.pop("quick", None)
    whole = _with_search(tables, source)
    if changes is None:
        if quick:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                "the recipe has no quick form",
                where=source,
                hint="add a [quick] table with the keys that differ; docs/recipes.md has one",
            )
        return whole
    place = f"{source}, [quick]"
    if not isinstance(changes, dict):
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"quick: {_A_TABLE} (it is {changes!r})",
            where=place,
            hint="docs/recipes.md has one",
        )
    small, search = _with_search(_laid_over(tables, changes, place), place)
    renamed = {"name": f"{whole[0].name}-quick", "form": "quick"}
    return (small.model_copy(update=renamed), search) if quick else whole


def _tables(text: str, source: str) -> dict:
    try:
        if any(line.count(".") > _MOST_DOTS for line in text.splitlines()):
            raise ValueError(f"a line has more than {_MOST_DOTS} dots")
        tables = tomllib.loads(text)
        check_depth(tables)
    except (ValueError, RecursionError) as error:
        # Python's own limits too: numbers of thousands of digits, tables in tables without end.
        raise KdEdgeError(
            "KD_RECIPE_SYNTAX", f"not valid TOML: {error}", where=source, hint="mend that line"
        ) from error
    return tables


def _with_search(tables: dict, source: str) -> tuple[Recipe, Search | None]:
    """What is built, and what `kd-edge search` varies of it."""
    recipe = _validated({key: value for key, value in tables.items() if key != "search"}, source)
    if "search" not in tables:
        return recipe, None
    return recipe, _searched(tables["search"], recipe, source, "search.")


def _searched(tables: Any, recipe: Recipe, source: str, place: str) -> Search:
    """A [search] table whose keys are all the recipe's.

    Args:
        place: of its keys in the file, with a dot behind it.
    """
    try:
        search = Search.model_validate(tables)
    except ValidationError as error:
        raise _readable(error, source, Search, place) from error
    try:
        check_score(recipe, search)
    except MisfitError as error:
        raise _misfit(error, source, place) from error
    for key, values in search.space.items():
        for value in values.ends:
            with_values(recipe, {key: value}, source=f"{source}, {place}space")
    return search


def with_values(recipe: Recipe, values: Mapping[str, Any], *, source: str = "recipe") -> Recipe:
    """The recipe with other values at dotted keys, such as 'students.0.epochs'.

    Args:
        values: in place of what stands there; a table takes the place of a whole table.
        source: of the keys, for errors.

    Raises:
        KdEdgeError KD_RECIPE_KEY: no such key, with the nearest; or one that must stay.
        KD_RECIPE_VALUE: out of range, or at odds with another.
    """
    tables = values_of(recipe)
    for key, value in values.items():
        try:
            node, place = place_of(tables, key)
        except MisfitError as error:
            raise KdEdgeError(
                "KD_RECIPE_KEY",
                str(error),
                where=f"{source}, {key}",
                hint="docs/search.md says which keys a search may vary",
            ) from error
        node[place] = value
    return _validated(tables, source)


def _misfit(error: MisfitError, source: str, place: str) -> KdEdgeError:
    key = f"{place}{error.key}"
    return KdEdgeError(
        "KD_RECIPE_VALUE", f"{key}: {error}", where=f"{source}, {key}", hint="see docs/search.md"
    )


def _validated(tables: dict, source: str) -> Recipe:
    try:
        return Recipe.model_validate(tables)
    except ValidationError as error:
        raise _readable(error, source) from error


# A small form may know fewer classes: it says anew what those weigh.
_ONE_VALUE = ("class_weights",)


def _laid_over(tables: dict, changes: dict, source: str) -> dict:
    """Tables key by key, lists of tables by the name of each; other values are replaced."""
    merged = dict(tables)
    for key, change in changes.items():
        old = tables.get(key)
        if key not in _ONE_VALUE and isinstance(change, dict) and isinstance(old, dict):
            merged[key] = _laid_over(old, change, f"{source}, {key}")
        elif _has_tables(change) and _has_tables(old):
            merged[key] = _laid_over_by_name(old, change, f"{source}, {key}")
        else:
            merged[key] = change
    return merged


def _has_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _laid_over_by_name(old: list[dict], changes: list[dict], source: str) -> list[dict]:
    merged = {str(table.get("name")): table for table in old}
    for change in changes:
        name = str(change.get("name"))
        if name not in merged:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                f"there is no '{name}' to change{nearest(name, list(merged))}",
                where=source,
                hint=f"name one of {', '.join(merged)}",
            )
        merged[name] = _laid_over(merged[name], change, f"{source}, {name}")
    return list(merged.values())


def _readable(
    error: ValidationError, source: str, table: type[Table] = Recipe, place: str = ""
) -> KdEdgeError:
    """The first problem as an error; unknown keys first, since they often explain the others.

    Args:
        table: what was validated. place: of its keys in the file, with a dot behind it.
    """
    problems = sorted(error.errors(), key=lambda problem: problem["type"] not in UNKNOWN_KEY)
    first = problems[0]
    # Union members appear in the location as type names; a user never wrote those.
    steps = [str(part) for part in first["loc"] if "[" not in str(part)]
    cause = first.get("ctx", {}).get("error")
    steps += [cause.key] if isinstance(cause, MisfitError) else []
    key = (place + ".".join(steps)).rstrip(".")
    more = f"; {len(problems) - 1} more to mend" if len(problems) > 1 else ""
    if first["type"] in UNKNOWN_KEY:
        known = _fields_at(first["loc"][:-1], table)
        if table is Recipe and len(first["loc"]) == 1:
            known += ["quick", "search"]
        return KdEdgeError(
            "KD_RECIPE_KEY",
            f"unknown key '{first['loc'][-1]}'{nearest(first['loc'][-1], known)}",
            where=f"{source}, {key}{more}",
            hint=f"keys here: {', '.join(known)}",
        )
    message = _IN_TOML.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    given = "" if first["type"] in ("missing", "value_error") else f" (it is {first['input']!r})"
    return KdEdgeError(
        "KD_RECIPE_VALUE",
        f"{key or 'recipe'}: {message}{given}",
        where=f"{source}{', ' + key if key else ''}{more}",
        hint="docs/recipes.md lists every key with its range",
    )


def _fields_at(location: tuple[int | str, ...], table: type[Table]) -> list[str]:
    """Names of the keys that the table at `location` of another may have."""
    schema = table.model_json_schema()
    node = schema
    for part in location:
        if part in TEACHER_FORMS:
            node = node["oneOf"][TEACHER_FORMS.index(part)]
            continue
        node = _resolve(node, schema)
        if isinstance(part, int):
            node = node.get("items", {})
        elif "[" not in part:
            node = node.get("properties", {}).get(part) or node.get("additionalProperties", {})
    return list(_resolve(node, schema).get("properties", {}))


def _resolve(node: dict, schema: dict) -> dict:
    for choice in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        if "$ref" in choice:
            node = choice
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return node


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML with every default filled in (absent optional values stay absent)."""
    import tomli_w

    return tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True))
