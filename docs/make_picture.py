"""Draws docs/architecture.svg from the table of borders in docs/architecture.md.

`python docs/make_picture.py`, after that table has changed; a test compares the two.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

PAGE = Path(__file__).with_name("architecture.md")
PICTURE = Path(__file__).with_name("architecture.svg")

# Column and row of each box.
_PLACES = {
    "file": (0, 2), "signals": (1, 1), "images": (1, 3), "frontend": (2, 1), "splits": (2, 3),
    "examples": (3, 2), "tasks": (4, 1), "distill": (4, 2), "models": (4, 3),
    "runtimes": (5, 1), "convert": (5, 2), "report": (6, 0), "measure": (6, 1),
    "personalise": (6, 2),
    "firmware_export": (6, 3), "pipeline": (7, 0), "trials": (7, 1), "link": (7, 2),
    "board": (7, 3), "recipe": (8, 0), "cli": (8, 1), "live": (8, 2), "phone": (8, 3),
}  # fmt: skip
_WIDTH, _HEIGHT, _COLUMN, _ROW = 106, 32, 180, 92
_STYLE = (
    "text{font:11px sans-serif;fill:#222}.box{fill:#eef3fb;stroke:#456}"
    ".outside{fill:#f6f0e4;stroke:#765}.arrow{stroke:#456;fill:none;marker-end:url(#head)}"
    ".said{font-size:9px;fill:#345;paint-order:stroke;stroke:#fff;stroke-width:3px}"
)
_HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0 8 4 0 8z" fill="#456"/></marker></defs>'
)


def borders(page: str) -> list[tuple[str, ...]]:
    """The rows of the page's table of borders: from, to, type, shape, unit, file."""
    table = page.split("## Borders")[1].split("## ", maxsplit=1)[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in row) for row in rows[2:]]


def picture(page: str) -> str:
    """The picture, as SVG."""
    columns, rows = (max(place[axis] for place in _PLACES.values()) + 1 for axis in (0, 1))
    width, height = columns * _COLUMN, rows * _ROW
    arrows = [_arrow(*border[:3]) for border in borders(page)]
    boxes = [_box(name) for name in _PLACES]
    white = f'<rect width="{width}" height="{height}" fill="#fff"/>'
    body = "\n".join([_HEAD, f"<style>{_STYLE}</style>", white, *arrows, *boxes])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">\n'
        f"<title>From files to a board</title>\n{body}\n</svg>\n"
    )


def _middle(name: str) -> tuple[float, float]:
    column, row = _PLACES[name]
    return (column + 0.5) * _COLUMN, (row + 0.5) * _ROW


def _box(name: str) -> str:
    x, y = _middle(name)
    kind = "outside" if name in ("file", "board") else "box"
    return (
        f'<rect class="{kind}" x="{x - _WIDTH / 2:g}" y="{y - _HEIGHT / 2:g}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" rx="5"/><text x="{x:g}" y="{y + 4:g}" text-anchor="middle">'
        f"{name}</text>"
    )


def _arrow(left: str, right: str, kind: str) -> str:
    """From border to border of two boxes; the type's own name beside its middle."""
    (x0, y0), (x1, y1) = _middle(left), _middle(right)
    dx, dy = x1 - x0, y1 - y0
    inside = min(
        (_WIDTH / 2 + 2) / abs(dx) if dx else 9.0, (_HEIGHT / 2 + 2) / abs(dy) if dy else 9.0
    )
    # Two ways between the same boxes lie side by side.
    aside = 7 if (left, right) in (("link", "board"), ("board", "link")) else 0
    shift = aside if left < right else -aside
    start = (x0 + inside * dx + shift, y0 + inside * dy)
    end = (x1 - inside * dx + shift, y1 - inside * dy)
    said = re.sub(r"`(?:[\w]+\.)*(\w+)`", r"\1", kind)
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2 - 4 + (12 if shift < 0 else 0)
    return (
        f'<path class="arrow" d="M{start[0]:.1f} {start[1]:.1f} {end[0]:.1f} {end[1]:.1f}"/>'
        f'<text class="said" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(said)}</text>'
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
