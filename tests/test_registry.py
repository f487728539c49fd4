"""Tables of records: names, the nearest ones, and what a result rests on.

Oracle for digests: the same table without the record, and the same source written anew.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.registry import Registry
from kd_edge.base.sources import code_digest

HOME = "kd_edge.base.formats"


@dataclass(frozen=True)
class Thing:
    name: str
    act: object = None
    module: str = ""


@pytest.fixture
def table():
    things = Registry("thing", (), home=HOME)
    yield things
    for name in things:
        things.remove(name)


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A module of a user's own, `stranger`, with another beside it."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("stranger", "stranger_beside"):
        sys.modules.pop(name, None)


def write(folder, **sources: str) -> None:
    for name, text in sources.items():
        (folder / f"{name}.py").write_text(text)


def imported(name: str):
    sys.modules.pop(name, None)
    __import__(name)
    return sys.modules[name]


def with_record(table, record, **more) -> str:
    """The digest of what rests on the table while it has the record."""
    table.add(record, **more)
    found = code_digest(HOME)
    table.remove(more.get("name") or record.name)
    return found


def test_a_record_is_found_by_its_name_and_forgotten_again(table):
    thing = table.add(Thing("spanner"))
    assert table.find("spanner") is table["spanner"] is thing
    assert list(table) == ["spanner"]
    table.remove("spanner")
    assert "spanner" not in table


def test_what_has_no_name_of_its_own_is_given_one(table):
    assert table.add(int, name="whole") is int
    assert dict(table) == {"whole": int}


@pytest.mark.parametrize("name", [None, "", 3])
def test_a_record_without_a_name_is_refused(table, name):
    with pytest.raises(KdEdgeError, match="needs a name") as caught:
        table.add(int, name=name)
    assert caught.value.code == "KD_USAGE"


def test_a_name_is_given_once(table):
    table.add(Thing("spanner"))
    with pytest.raises(KdEdgeError, match="already") as caught:
        table.add(Thing("spanner"))
    assert caught.value.code == "KD_USAGE"


def test_an_unknown_name_is_told_with_the_nearest(table):
    table.add(Thing("spanner"))
    for ask in (table.find, table.remove):
        with pytest.raises(KdEdgeError) as caught:
            ask("spaner")
        assert caught.value.code == "KD_UNKNOWN_NAME"
        assert caught.value.message == "there is no thing 'spaner' (did you mean 'spanner'?)"
        assert caught.value.hint == "things: spanner"


def test_what_stands_in_a_table_from_the_start_moves_no_digest():
    """Its module counts already, by the import of the table's module."""
    before = code_digest(HOME)
    Registry("thing", (Thing("ours", act=code_digest),), home=HOME)
    assert code_digest(HOME) == before


def test_values_of_an_added_record_count(table):
    first = with_record(table, Thing("mine", act=(1, "a")))
    again = with_record(table, Thing("mine", act=(1, "a")))
    other = with_record(table, Thing("mine", act=(1, "b")))
    assert first == again
    assert len({first, other, code_digest(HOME)}) == 3


def test_files_behind_an_added_path_count(table, tmp_path):
    found = []
    for text in ("a", "b"):
        (tmp_path / "kernel.c").write_text(text)
        found.append(with_record(table, tmp_path, name="mine"))
    assert found[0] != found[1]


def test_a_record_from_outside_counts_with_its_source(table, plugin):
    before = code_digest(HOME)
    write(plugin, stranger="def act():\n    return 1\n")
    first = with_record(table, Thing("mine", act=imported("stranger").act))
    again = with_record(table, Thing("mine", act=imported("stranger").act))
    write(plugin, stranger="def act():\n    return 2\n")
    other = with_record(table, Thing("mine", act=imported("stranger").act))
    assert len({before, first, other}) == 3
    assert first == again
    assert code_digest(HOME) == before


@pytest.mark.parametrize(
    "record",
    [
        lambda module: Thing("mine", act=module.act),
        lambda module: Thing("mine", module="stranger"),
        lambda module: type("Mine", (), {"name": "mine", "__module__": "stranger"}),
    ],
)
def test_what_a_users_module_imports_of_his_own_counts_too(table, plugin, record):
    write(
        plugin, stranger="def act():\n    from stranger_beside import number\n    return number\n"
    )
    found = []
    for number in (1, 2):
        write(plugin, stranger_beside=f"number = {number}\n")
        found.append(with_record(table, record(imported("stranger"))))
    assert found[0] != found[1]


def test_a_builder_that_is_named_by_a_text_counts(table, plugin):
    found = []
    for number in (1, 2):
        write(plugin, stranger=f"def build():\n    return {number}\n")
        found.append(with_record(table, "stranger:build", name="mine"))
    assert found[0] != found[1]


def test_what_was_typed_into_a_console_is_never_taken_for_kept_work(table):
    """It has no source: a digest of another process could not tell it from something else."""
    typed: dict = {"__name__": "console"}
    exec("def act():\n    return 1\n", typed)
    assert with_record(table, typed["act"], name="typed") != code_digest(HOME)


def test_another_table_does_not_count(table):
    before = code_digest("kd_edge.base.errors")
    table.add(Thing("mine", act=test_another_table_does_not_count))
    assert code_digest("kd_edge.base.errors") == before
