"""The report of `kd-edge compile`: page, tables and JSON show the same figures."""

from __future__ import annotations

import html
import io
import json
import re
from html.parser import HTMLParser

import pytest
from aot_fuzz import image_model, lstm_model
from rich.console import Console

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.boards import BOARDS
from kd_edge.report.compile_html import render_compile_html
from kd_edge.report.compile_report import compile_report, to_json
from kd_edge.report.compile_table import print_compile
from kd_edge.report.compile_words import CYCLES_ARE_ESTIMATES, short_place


def report_of(content: bytes, *, core="m4", with_boards=True):
    one = compile_model(content, CompileSettings(core=core))
    return compile_report("m.tflite", one, content, optimize="size", with_boards=with_boards)


@pytest.fixture(scope="module")
def report():
    return report_of(lstm_model())


@pytest.fixture(scope="module")
def page(report):
    return render_compile_html(report)


def printed(report, width=100) -> str:
    stream = io.StringIO()
    print_compile(report, Console(file=stream, width=width))
    return stream.getvalue()


class Links(HTMLParser):
    """Every address that a page would load, and its text."""

    def __init__(self):
        super().__init__()
        self.addresses, self.open = [], []

    def handle_starttag(self, tag, attributes):
        self.addresses += [v for k, v in attributes if k in ("src", "href", "data", "action")]


def test_the_page_needs_nothing_but_itself(page):
    links = Links()
    links.feed(page)
    assert {address[:1] for address in links.addresses} == {"#"}
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_the_same_report_gives_the_same_page(report, page):
    assert render_compile_html(report) == page


def test_the_map_has_a_rectangle_for_every_buffer(report, page):
    picture = re.search(r"<svg[^>]*memory-map-title.*?</svg>", page, re.DOTALL)[0]
    assert f"{len(report.memory.map)} buffers" in picture
    assert "signals" in picture
    rows = re.search(r"<summary>Buffers</summary>.*?</table>", page, re.DOTALL)[0]
    assert rows.count("<tr>") == len(report.memory.map) + 1


def test_page_and_tables_show_every_layer_pass_and_board(report, page):
    text = printed(report)
    assert report.layers
    assert report.passes
    assert report.boards
    for layer in report.layers:
        assert short_place(layer.place) in page
        assert short_place(layer.place) in text
        assert f"{layer.constant_bytes:,}" in page
    for effect in report.passes:
        assert effect.name in page
    for board in report.boards:
        assert board.title in page
        assert board.board in text


def test_page_tables_and_json_show_what_each_layer_costs_beside_its_bound(report, page):
    text, tree = printed(report), json.loads(to_json(report))
    assert len(tree["costs"]) == len(report.layers)
    for cost, told in zip(report.costs, tree["costs"], strict=True):
        assert told["instructions"] == cost.instructions > 0
        if cost.bound is None:
            assert told["bound"] is None
            continue
        assert sum(told["bound"].values()) == cost.bound.total
        assert f"{cost.bound.total:,}" in page
        assert f"{cost.bound.total:,}" in text
        assert cost.helps in html.unescape(page)


def test_names_from_the_model_cannot_become_markup():
    content = lstm_model().replace(b"signals", b"<b>[x]&")
    report = report_of(content, with_boards=False)
    page = render_compile_html(report)
    assert "<b>[x]" not in page
    assert "&lt;b&gt;[x]&amp;" in page


def test_cycles_are_called_an_estimate_with_their_basis(report, page):
    assert {estimate.core for estimate in report.cycles} >= {"m4", "m7", "m33", "m55"}
    assert CYCLES_ARE_ESTIMATES in html.unescape(page)
    assert "not cycles" in CYCLES_ARE_ESTIMATES
    assert "wait states" in CYCLES_ARE_ESTIMATES
    for estimate in report.cycles:
        assert "Arm " in estimate.basis


def test_every_known_board_is_judged_but_the_nominal_one(report):
    assert {fit.board for fit in report.boards} == {
        name for name, board in BOARDS.items() if board.core != "host"
    }
    for fit in report.boards:
        assert fit.ram_bytes <= fit.ram_limit
        assert fit.fits is (None if fit.flash_bytes is None else True)


def test_unknown_flash_is_unknown_and_never_zero(monkeypatch):
    monkeypatch.setenv("PATH", "")
    report = report_of(image_model())
    assert report.flash_bytes is None
    assert {fit.fits for fit in report.boards} == {None}
    assert "unknown" in printed(report)
    assert "not measured" in render_compile_html(report)


def test_without_the_report_one_sentence_is_printed():
    text = printed(report_of(image_model(), with_boards=False))
    assert "multiply-accumulates" in text
    assert "Boards" not in text


def test_json_holds_the_same_tree(report):
    tree = json.loads(to_json(report))
    assert tree["schema_version"] == 1
    assert len(tree["layers"]) == len(report.layers)
    assert tree["memory"]["map"][0]["name"] == report.memory.map[0].name
    assert [fit["board"] for fit in tree["boards"]] == [fit.board for fit in report.boards]
