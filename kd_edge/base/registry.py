"""Tables: one for each kind of thing, from a name to its record, with one way to add another.

`LOSSES.add(MyLoss, name="mine")` makes a loss known to recipes, `READERS.add(Reader("mine", …))` a
reader. What kd-edge brings itself stands in the table from the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.sources import forget_added, note_added

Record = TypeVar("Record")


class Registry(Mapping[str, Record], Generic[Record]):
    """A table of records of one kind, in the order in which they were added.

    Args:
        what: the kind, as errors call it: 'loss'.
        records: what is known from the start: records with a `name`, or name -> record.
        home: the module that the table stands in. A result that rests on this module rests on each
            record that is added later, too, and on the source of that.
        plural: of `what`; with an s where None.
    """

    def __init__(
        self,
        what: str,
        records: Iterable[Record] | Mapping[str, Record],
        *,
        home: str,
        plural: str | None = None,
    ):
        self.what = what
        self.plural = plural or f"{what}s"
        self._home = home
        self._records: dict[str, Record] = {}
        self._added: set[str] = set()
        named = records.items() if isinstance(records, Mapping) else ((r.name, r) for r in records)
        for name, record in named:
            self._put(name, record)

    def add(self, record: Record, *, name: str | None = None) -> Record:
        """Make a record known, and give it back.

        Args:
            name: what recipes and options call it; the record's own `name` where None.

        Raises:
            KdEdgeError KD_USAGE: the name is taken, or the record has none.
        """
        name = getattr(record, "name", None) if name is None else name
        if not isinstance(name, str) or not name:
            raise KdEdgeError(
                "KD_USAGE",
                f"a {self.what} needs a name, and {record!r} has none",
                hint="add(record, name='…')",
            )
        self._put(name, record)
        self._added.add(name)
        note_added(self._home, name, record)
        return record

    def _put(self, name: str, record: Record) -> None:
        if name in self._records:
            raise KdEdgeError(
                "KD_USAGE", f"there is a {self.what} '{name}' already", hint="choose another name"
            )
        self._records[name] = record

    def remove(self, name: str) -> None:
        """Forget a record that `add` made known. Raises as `find`."""
        self.find(name)
        forget_added(self._home, name)
        self._added.discard(name)
        del self._records[name]

    def is_own(self, name: str) -> bool:
        """Whether kd-edge brings it: it was there from the start. Raises as `find`."""
        self.find(name)
        return name not in self._added

    def find(self, name: str, *, where: str | None = None) -> Record:
        """The record of that name.

        Args:
            where: the recipe's key or the option that has the name.

        Raises:
            KdEdgeError KD_UNKNOWN_NAME: there is no such record; with the nearest names.
        """
        if name not in self._records:
            raise KdEdgeError(
                "KD_UNKNOWN_NAME",
                self.unknown(name),
                where=where,
                hint=f"{self.plural}: {', '.join(self)}",
            )
        return self._records[name]

    def known(self, name: str) -> str:
        """The name itself, for validators of settings. Raises ValueError with the nearest names."""
        if name not in self._records:
            raise ValueError(self.unknown(name))
        return name

    def unknown(self, name: str) -> str:
        """A sentence about a name that nothing has: "there is no loss 'x' (did you mean 'y'?)"."""
        return f"there is no {self.what} '{name}'{nearest(name, self)}"

    def __getitem__(self, name: str) -> Record:
        return self._records[name]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._records))

    def __len__(self) -> int:
        return len(self._records)
