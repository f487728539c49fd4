"""Builds the documentation site from the pages that stand in the repository: `make site`.

The pages keep their places, so a link means the same in the repository and on the site. A page
that no menu names, and a link that leads nowhere, end it with status 1.
"""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path

from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import MkDocsException

ROOT = Path(__file__).resolve().parents[1]
_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
_FOLDERS = ("docs", "docs/gallery", "firmware_export", "benchmarks")
_KINDS = (".md", ".svg", ".png", ".html")


def gather(root: Path, place: Path) -> None:
    """Copy the pages, pictures and reports below `root` to `place`, which is made anew."""
    found = [root / name for name in _PAGES]
    for folder in _FOLDERS:
        found += [path for path in sorted((root / folder).glob("*")) if path.suffix in _KINDS]
    shutil.rmtree(place, ignore_errors=True)
    for path in found:
        copy = place / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def main(build_folder: Path, root: Path = ROOT) -> None:
    """Write the site of the pages below `root` to `build_folder`/site."""
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    source = build_folder / "site-source"
    gather(root, source)
    settings = load_config(
        str(root / "mkdocs.yml"), docs_dir=str(source), site_dir=str(build_folder / "site")
    )
    try:
        build(settings)
    except MkDocsException as error:
        sys.exit(f"make_site: {error}")
    print(f"Open {build_folder / 'site' / 'index.html'} in a browser.")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build")
