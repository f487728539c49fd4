"""The documentation site. Oracle: MkDocs' own strict build, and pages that are wrong on purpose."""

from __future__ import annotations

import importlib.util
import shutil

import pytest

pytest.importorskip("mkdocs")


@pytest.fixture(scope="module")
def site(pytestconfig):
    spec = importlib.util.spec_from_file_location(
        "make_site", pytestconfig.rootpath / "docs" / "make_site.py"
    )
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    return maker


@pytest.fixture
def small(tmp_path):
    """A project of three pages, each in the menu."""
    root = tmp_path / "project"
    (root / "docs").mkdir(parents=True)
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        (root / name).write_text(f"# {name}\n", encoding="utf-8")
    (root / "mkdocs.yml").write_text(
        "site_name: small\nstrict: true\nuse_directory_urls: false\n"
        "validation: {nav: {omitted_files: warn}, links: {anchors: warn}}\n"
        "nav: [README.md, CONTRIBUTING.md, CHANGELOG.md]\n",
        encoding="utf-8",
    )
    return root


def test_every_page_is_in_the_menu_and_every_link_leads_somewhere(site, tmp_path):
    site.main(tmp_path)
    home = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert 'href="docs/recipes.html' in home
    assert '<script src="https:' not in home
    assert "fonts.googleapis" not in home


@pytest.mark.parametrize("wrong", ["[gone](docs/gone.md)", "[gone](CONTRIBUTING.md#gone)"])
def test_a_link_that_leads_nowhere_ends_it(site, small, tmp_path, wrong, caplog):
    site.main(tmp_path, small)
    (small / "README.md").write_text(f"# Home\n\n{wrong}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="Aborted"):
        site.main(tmp_path, small)
    assert "gone" in caplog.text


def test_a_page_that_no_menu_names_ends_it(site, small, tmp_path, caplog):
    shutil.copyfile(small / "README.md", small / "docs" / "alone.md")
    with pytest.raises(SystemExit, match="Aborted"):
        site.main(tmp_path, small)
    assert "docs/alone.md" in caplog.text
