"""The one environment of templates. Oracle: Jinja's documentation, by hand; the source itself."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from kd_edge.base.templates import templates

ROOT = Path(__file__).resolve().parents[1]


def test_no_other_module_makes_an_environment():
    sources = [*ROOT.glob("kd_edge/**/*.py"), *ROOT.glob("firmware_export/**/*.py")]
    assert [path.name for path in sources if "jinja2" in path.read_text(encoding="utf-8")] == [
        "templates.py"
    ]


def test_names_are_escaped_in_pages_alone(tmp_path):
    (tmp_path / "name.j2").write_text("{{ name }}\n")
    page, text = (templates(tmp_path, escape=escape) for escape in (True, False))
    assert page.get_template("name.j2").render(name="<b>") == "&lt;b&gt;"
    assert text.get_template("name.j2").render(name="<b>") == "<b>\n"


def test_a_name_that_nobody_gave_is_an_error(tmp_path):
    (tmp_path / "name.j2").write_text("{{ name }}")
    with pytest.raises(jinja2.UndefinedError, match="name"):
        templates(tmp_path, escape=False).get_template("name.j2").render()


def test_what_one_caller_shares_no_other_one_sees(tmp_path):
    (tmp_path / "name.j2").write_text("{% if name is defined %}\n{{ name }}\n{% endif %}\n.")
    shared = templates(tmp_path, escape=False, shared={"name": "mine"})
    assert shared.get_template("name.j2").render() == "mine\n."
    assert templates(tmp_path, escape=False).get_template("name.j2").render() == "."


def test_the_first_place_that_has_a_template_gives_it(tmp_path):
    places = [tmp_path / name for name in ("first", "second")]
    for place in places:
        place.mkdir()
        (place / "both.j2").write_text(place.name)
    (places[1] / "one.j2").write_text("only here")
    environment = templates(*places, escape=False)
    assert environment.get_template("both.j2").render() == "first"
    assert environment.get_template("one.j2").render() == "only here"
