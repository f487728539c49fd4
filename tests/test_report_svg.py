"""Pictures of the report: whatever names stand in them, they are whole SVG."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from kd_edge.report import svg


@pytest.mark.parametrize(
    "name",
    ["\x1b[31m", "a\nb", "\x00", "\ufffe", "<b>&amp;", "]]>", "$\\frac$", "手", "q" * 10_000],
)
def test_a_picture_of_any_names_is_whole(name):
    """Oracle: an XML parser reads it; a class's name is a tick, a title and a text in it."""
    with svg.settings("any"):
        figure = svg.blank(460, 220)
        axes = figure.subplots()
        axes.bar([0, 1], [1, 2])
        axes.set_xticks([0, 1], [name, "other"])
        axes.set_title(name)
        axes.text(0, 1, name)
        picture = svg.render(figure, name="any", title=name, description=name)
    root = ElementTree.fromstring(picture.svg)
    assert root.tag == "svg"
    assert any("other" in (element.text or "") for element in root.iter())
