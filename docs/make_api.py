"""Writes docs/api.md from the docstrings of everything that `import kd_edge` gives.

`python docs/make_api.py`, after a docstring has changed; a test compares the page with the code.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from pydantic_core import PydanticUndefined

import kd_edge

PAGE = Path(__file__).with_name("api.md")
_HEAD = """# The library, name by name

Made by `python docs/make_api.py` from the docstrings. [library.md](library.md) begins with an
example. Arrays say their shape and unit: (n, channels) has a row a sample, and (n, ...) any axes
behind the first.
"""
_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields|Example):$", re.MULTILINE)
# What a class got from a base class of somebody else.
_FOREIGN = ("pydantic", "builtins", "typing", "abc")
_ABSENT = (dataclasses.MISSING, PydanticUndefined)


def page() -> str:
    """The whole page."""
    pieces = [_HEAD]
    for module, names in kd_edge._GIVES.items():
        found = importlib.import_module(module, "kd_edge")
        pieces.append(f"## {found.__name__}\n\n{_said(found.__doc__)}")
        pieces += [_entry(name, getattr(kd_edge, name)) for name in names]
    return "\n".join(piece.rstrip() + "\n" for piece in pieces)


def _entry(name: str, found: object) -> str:
    if not inspect.isclass(found):
        return f"### `{name}`\n\n{_call(found, name)}\n\n{_said(found.__doc__)}"
    pieces = [f"### `{name}`"]
    if dataclasses.is_dataclass(found):
        pieces.append(_fields(found))
    pieces.append(_said(found.__doc__))
    pieces += [
        f"#### `{name}.{member}`\n\n{_member(value, member)}" for member, value in _members(found)
    ]
    return "\n\n".join(pieces)


def _members(kind: type) -> Iterator[tuple[str, object]]:
    """Public methods and properties that have a docstring, in the order of the source."""
    for base in reversed(kind.__mro__):
        if base.__module__.split(".")[0] in _FOREIGN:
            continue
        for name, value in vars(base).items():
            said = getattr(value, "__doc__", None)
            of_class = callable(value) or inspect.isdatadescriptor(value) or hasattr(value, "func")
            if of_class and said and not name.startswith("_"):
                yield name, value


def _member(value: object, name: str) -> str:
    if isinstance(value, classmethod | staticmethod):
        value = value.__func__
    if callable(value):
        return f"{_call(value, name)}\n\n{_said(value.__doc__)}"
    getter = getattr(value, "fget", None) or getattr(value, "func", None)
    given = getattr(getter, "__annotations__", {}).get("return")
    return f"{f'`{given}`: ' if given else ''}{_said(value.__doc__)}"


def _call(function: object, name: str) -> str:
    """The signature as code, an argument a line where it is long."""
    signature = inspect.signature(function)
    arguments = list(_arguments(signature))
    given = signature.return_annotation
    arrow = "" if given is signature.empty else f" -> {given}"
    whole = f"{name}({', '.join(arguments)}){arrow}"
    if len(whole) > 100:
        whole = f"{name}(\n    " + ",\n    ".join(arguments) + f",\n){arrow}"
    return f"```python\n{whole}\n```"


def _arguments(signature: inspect.Signature) -> Iterator[str]:
    keywords = False
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and not keywords:
            keywords = True
            yield "*"
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        kind = "" if parameter.annotation is parameter.empty else f": {parameter.annotation}"
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        yield f"{stars}{name}{kind}{default}"


def _fields(kind: type) -> str:
    lines = [f"{field.name}: {field.type}{_default(field)}" for field in dataclasses.fields(kind)]
    return "```python\n" + "\n".join(lines) + "\n```"


def _default(field: dataclasses.Field) -> str:
    value = getattr(field.default, "default", field.default)  # pydantic's fields hold their own
    if value in _ABSENT:
        return ""
    # A function's repr has its place in memory.
    return f" = {value.__name__ if inspect.isfunction(value) else repr(value)}"


def _said(docstring: str | None) -> str:
    """A docstring as Markdown: its text, then each section as a list."""
    text, *sections = _SECTION.split(inspect.cleandoc(docstring or ""))
    pieces = [text.strip()]
    for heading, body in zip(sections[::2], sections[1::2], strict=True):
        if heading == "Example":
            pieces.append(f"```python\n{textwrap.dedent(body).strip()}\n```")
            continue
        items = [" ".join(item.split()) for item in re.split(r"\n {4}(?=\S)", body) if item.strip()]
        pieces.append(f"{heading}:\n\n" + "\n".join(f"- {item}" for item in items))
    return "\n\n".join(pieces)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
