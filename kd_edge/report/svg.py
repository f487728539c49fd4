"""Matplotlib figures as SVG that lives inside a page: themed by CSS, same bytes every time."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from kd_edge.base.plotting import plain_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Each is drawn in a colour that no picture uses otherwise, then replaced by the page's variable of
# the same name: so one picture serves the light and the dark look. Black is not among them, since
# Matplotlib leaves it out as SVG's default.
INK = "#010203"
MUTED = "#010204"
GRID = "#010205"
PAPER = "#010206"
SERIES = ("#020301", "#020302", "#020303", "#020304", "#020305", "#020306", "#020307")
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
    **{colour: f"var(--s{i + 1})" for i, colour in enumerate(SERIES)},
}
_SETTINGS = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and styled
    "text.parse_math": False,  # a label with two dollar signs is a label
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 11,
    "axes.titlesize": 11.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.8,
}
_UNITS_PER_INCH = 72  # of Matplotlib's SVG; one unit is one CSS pixel at full size
# Characters that no XML may hold, and that names from recordings and models may.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"


@dataclass(frozen=True)
class Picture:
    """One picture of the report.

    Attributes:
        name: unique in the page; prefix of every id in the SVG.
        title: what it shows, as its heading says it.
        description: what a reader who does not see it should know, in a sentence or two.
        svg: the element, for use inside HTML.
        width: in CSS pixels at full size.
        caption: what it is and is not, below it; may be empty.
    """

    name: str
    title: str
    description: str
    svg: str
    width: int
    caption: str = ""


@contextlib.contextmanager
def settings(name: str) -> Iterator[None]:
    """Matplotlib's settings for one picture; a figure must be made and rendered inside."""
    # Not the user's settings, so that the bytes are the same everywhere.
    with (
        plain_settings(**_SETTINGS, **{"svg.hashsalt": name}),
        warnings.catch_warnings(),
    ):
        # Matplotlib's own font measures the text, the reader's browser draws it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message=".*does not support .* natively")
        # A name may be longer than the picture is wide: it is cut at the edge then.
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        yield


def blank(width: int, height: int) -> Figure:
    """An empty figure of CSS pixels at full size, outside pyplot's global state."""
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(width / _UNITS_PER_INCH, height / _UNITS_PER_INCH), layout="constrained"
    )
    figure.patch.set_alpha(0)
    figure.get_layout_engine().set(w_pad=0.04, h_pad=0.04)
    return figure


def render(
    figure: Figure, *, name: str, title: str, description: str, caption: str = ""
) -> Picture:
    """The figure as one `<svg>` element with a title and a description."""
    for axes in figure.axes:
        axes.patch.set_alpha(0)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    root = ElementTree.fromstring(_NO_XML.sub("\ufffd", buffer.getvalue()))
    width, height = (round(float(v)) for v in root.get("viewBox").split()[2:])
    _clean(root, name)
    root.attrib = {
        "viewBox": root.get("viewBox"),
        "width": str(width),
        "height": str(height),
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-desc",
    }
    for index, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(tag, id=f"{name}-{tag}")
        element.text = _NO_XML.sub("\ufffd", text)
        root.insert(index, element)
    text = ElementTree.tostring(root, encoding="unicode")
    return Picture(name, title, description, text, width, caption)


def _clean(root: ElementTree.Element, name: str) -> None:
    """Drop what a page must not take over, make ids the page's own, and put in the colours."""
    for child in list(root):
        if child.tag == f"{_SVG}metadata" or child.find(f"{_SVG}style") is not None:
            root.remove(child)
    used = _linked_ids(root)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        element.tail = None
        if element.tag not in ("text", "tspan"):
            element.text = None
        identity = element.attrib.pop("id", None)
        if identity in used:
            element.set("id", f"{name}-{identity}")
        link = element.attrib.pop(_LINK, None)
        if link is not None:
            element.set("href", f"#{name}-{link.removeprefix('#')}")
        for key, value in element.attrib.items():
            element.set(key, _own_value(key, value, name))


def _own_value(key: str, value: str, name: str) -> str:
    if key in ("style", "clip-path"):
        return _own_style(value, name)
    if key == "d":
        return re.sub(r"-?\d+\.\d+", lambda found: _short(found.group()), " ".join(value.split()))
    return _short(value) if key in ("x", "y") else value


def _linked_ids(root: ElementTree.Element) -> set[str]:
    links = {e.get(_LINK).removeprefix("#") for e in root.iter() if e.get(_LINK)}
    clips = {e.get("clip-path") for e in root.iter() if e.get("clip-path")}
    return links | {clip.removeprefix("url(#").removesuffix(")") for clip in clips}


def _own_style(style: str, name: str) -> str:
    style = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", style)
    style = re.sub(r"font-family:[^;]*;?\s*", "", style)  # the page's own font
    return re.sub(r"#0[12]0[23]0[0-9]", lambda found: _VARIABLES[found.group()], style).strip()


def _short(number: str) -> str:
    # A hundredth of a pixel is finer than any screen, and halves the page.
    return f"{float(number):.2f}".rstrip("0").rstrip(".")
