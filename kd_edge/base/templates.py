"""Jinja's one environment, for sources, projects and pages alike."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import jinja2


def templates(
    *places: str | Path, escape: bool, shared: Mapping[str, object] | None = None
) -> jinja2.Environment:
    """Templates of packages (their `templates/`) or folders, looked for in this order.

    A name that nobody gave is an error, and a line that holds a statement alone leaves nothing.

    Args:
        escape: for HTML, whose labels, paths and names come from users' files; not for C,
            Make, YAML or Markdown. A text that is not escaped keeps its last line's end.
        shared: values that every template and macro sees.
    """
    if shared is None:
        return _environment(places, escape)
    environment = _environment.__wrapped__(places, escape)
    environment.globals.update(shared)
    return environment


@functools.cache  # a template is compiled once
def _environment(places: tuple[str | Path, ...], escape: bool) -> jinja2.Environment:
    loaders = [
        jinja2.PackageLoader(place) if isinstance(place, str) else jinja2.FileSystemLoader(place)
        for place in places
    ]
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not escape,
        autoescape=escape,
    )
