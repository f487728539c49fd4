"""Reading and writing a recipe as TOML; a mistake names its key and the nearest known one."""

from __future__ import annotations

import errno
import tomllib
from pathlib import Path

from pydantic import ValidationError

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.settings import UNKNOWN_KEY, MisfitError
from kd_edge.base.untrusted import check_depth
from kd_edge.recipe.tables import TEACHER_FORMS, Recipe

MOST_RECIPE_BYTES = 1_000_000
# Python's reader takes minutes for a key of some thousand dots.
_MOST_DOTS = 200


def load_recipe(path: Path, *, quick: bool = False) -> Recipe:
    """Read and validate a recipe.

    Args:
        quick: lay the recipe's [quick] table over it: the form that shows that the chain works.

    Raises:
        KdEdgeError KD_NO_FILE, KD_RECIPE_SYNTAX (not TOML), KD_RECIPE_KEY (unknown key, with the
            nearest), KD_RECIPE_VALUE (out of range, missing, or at odds with another).
    """
    try:
        text = _read_text(Path(path))
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
    recipe = parse_recipe(text, source=str(path), quick=quick)
    folder = Path(path).absolute().parent
    return recipe.with_files(lambda file: str(folder / file))


def _read_text(path: Path) -> str:
    with open(path, "rb") as stream:  # a pipe too, as of a shell's <(…)
        content = stream.read(MOST_RECIPE_BYTES + 1)
    if len(content) > MOST_RECIPE_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {MOST_RECIPE_BYTES:,} bytes")
    return content.decode("utf-8")


def parse_recipe(text: str, *, source: str = "recipe", quick: bool = False) -> Recipe:
    """`load_recipe` from text."""
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
    changes = tables.pop("quick", None)
    whole = _validated(tables, source)
    if changes is None:
        if quick:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                "the recipe has no quick form",
                where=source,
                hint="add a [quick] table with the keys that differ; docs/recipes.md has one",
            )
        return whole
    # Read in any case: a mistake in it is told before somebody needs it.
    place = f"{source}, [quick]"
    small = _validated(_laid_over(tables, changes, place), place)
    renamed = {"name": f"{whole.name}-quick", "form": "quick"}
    return small.model_copy(update=renamed) if quick else whole


def _validated(tables: dict, source: str) -> Recipe:
    try:
        return Recipe.model_validate(tables)
    except ValidationError as error:
        raise _readable(error, source) from error


def _laid_over(tables: dict, changes: dict, source: str) -> dict:
    """Tables key by key, lists of tables by the name of each; other values are replaced."""
    merged = dict(tables)
    for key, change in changes.items():
        old = tables.get(key)
        if isinstance(change, dict) and isinstance(old, dict):
            merged[key] = _laid_over(old, change, f"{source}, {key}")
        elif _has_tables(change) and _has_tables(old):
            merged[key] = _laid_over_by_name(old, change, f"{source}, {key}")
        else:
            merged[key] = change
    return merged


def _has_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _laid_over_by_name(old: list[dict], changes: list[dict], source: str) -> list[dict]:
    merged = {table.get("name"): table for table in old}
    for change in changes:
        name = change.get("name")
        if name not in merged:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                f"there is no '{name}' to change{nearest(str(name), [str(n) for n in merged])}",
                where=source,
                hint=f"name one of {', '.join(str(n) for n in merged)}",
            )
        merged[name] = _laid_over(merged[name], change, f"{source}, {name}")
    return list(merged.values())


def _readable(error: ValidationError, source: str) -> KdEdgeError:
    """The first problem as an error; unknown keys first, since they often explain the others."""
    problems = sorted(error.errors(), key=lambda problem: problem["type"] not in UNKNOWN_KEY)
    first = problems[0]
    # Union members appear in the location as type names; a user never wrote those.
    steps = [str(part) for part in first["loc"] if "[" not in str(part)]
    cause = first.get("ctx", {}).get("error")
    key = ".".join([*steps, cause.key] if isinstance(cause, MisfitError) else steps)
    more = f"; {len(problems) - 1} more to mend" if len(problems) > 1 else ""
    if first["type"] in UNKNOWN_KEY:
        known = _fields_at(first["loc"][:-1])
        if len(first["loc"]) == 1:
            known.append("quick")
        return KdEdgeError(
            "KD_RECIPE_KEY",
            f"unknown key '{first['loc'][-1]}'{nearest(first['loc'][-1], known)}",
            where=f"{source}, {key}{more}",
            hint=f"keys here: {', '.join(known)}",
        )
    message = first["msg"].removeprefix("Value error, ")
    given = "" if first["type"] in ("missing", "value_error") else f" (it is {first['input']!r})"
    return KdEdgeError(
        "KD_RECIPE_VALUE",
        f"{key or 'recipe'}: {message}{given}",
        where=f"{source}{', ' + key if key else ''}{more}",
        hint="docs/recipes.md lists every key with its range",
    )


def _fields_at(location: tuple[int | str, ...]) -> list[str]:
    """Names of the keys that the table at `location` may have."""
    schema = Recipe.model_json_schema()
    node = schema
    for part in location:
        node = _resolve(node, schema)
        if isinstance(part, int):
            node = node.get("items", {})
        elif part in TEACHER_FORMS:
            node = node["oneOf"][TEACHER_FORMS.index(part)]
        else:
            node = node.get("properties", {}).get(part) or node.get("additionalProperties", {})
    return list(_resolve(node, schema).get("properties", {}))


def _resolve(node: dict, schema: dict) -> dict:
    for choice in node.get("anyOf", ()):
        if "$ref" in choice:
            node = choice
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return node


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML with every default filled in (absent optional values stay absent)."""
    import tomli_w

    return tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True))
