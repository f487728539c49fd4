"""That each call finds in the arena what earlier ones left there, whatever shares its memory."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from firmware_export.aot.graph import Graph, View, tensor_bytes
from firmware_export.aot.marks import Marks
from firmware_export.aot.program import Arg, Call, Scratch, State, StepCalls
from firmware_export.aot.schedule import Place, Schedule, item_calls
from firmware_export.aot.settings import CompileSettings
from firmware_export.aot.verify import Fault, turns_of
from kd_edge.base.flatbuffer import Tensor

STAGE = "plan the memory"
_WINDOWS = 2  # in a row: the second one finds the state that the first one left
_TENSOR_ALIGN = 4
_WIDE_ALIGN = 8  # of scratch and state

# First byte in the arena, the one behind the last, and the mark of what lies there.
_Bytes = tuple[int, int, Hashable]


def verify_arena(graph: Graph, plan: Schedule, settings: CompileSettings) -> None:
    """Run the calls on marks in place of values, two windows in a row.

    Each byte of the arena is marked with the tensor or state whose value it holds. A call must
    find its operands and its state marked as theirs; it marks its results, and unmarks its
    scratch. The caller marks the inputs and must find the outputs.

    Raises:
        KdEdgeError KD_INTERNAL: naming the operator and the tensor.
    """
    run = _Run(graph, plan, settings)
    run.check_places()
    run.keep()
    if settings.carry_state:
        run.reset(item_calls(plan.items))
    for _ in range(_WINDOWS):
        run.window()


class _Run:
    """The arena, and what is done to it."""

    def __init__(self, graph: Graph, plan: Schedule, settings: CompileSettings):
        self._graph, self._plan, self._settings = graph, plan, settings
        self._arena = Marks()
        self._fault = Fault(STAGE)

    def check_places(self) -> None:
        """Every argument lies inside the arena, where its type may."""
        for call in item_calls(self._plan.items):
            for position, arg in enumerate(call.args):
                if _is_constant(arg):
                    continue
                place, offset = self._plan.place(call, position), 0
                if isinstance(arg, Tensor):
                    offset = self._view(arg).offset_bytes
                align = _TENSOR_ALIGN if isinstance(arg, Tensor) else _WIDE_ALIGN
                if (place.offset_bytes - offset) % align:
                    what = f"it begins at byte {place.offset_bytes}, no multiple of {align}"
                    self._fault(call.place, what, _tensor(arg))
                if not 0 <= place.offset_bytes <= self._plan.plan.arena_bytes - _size(arg):
                    arena = self._plan.plan.arena_bytes
                    what = f"it begins at byte {place.offset_bytes} of an arena of {arena}"
                    self._fault(call.place, what, _tensor(arg))

    def window(self) -> None:
        """One window, from the inputs to the outputs."""
        settings = self._settings
        if not settings.stream:
            self._fill()
        for place, item in enumerate(self._plan.items):
            if not (settings.carry_state or settings.stream):
                self.reset(item_calls((item,)))
            self._item(item, arriving=settings.stream and place == 0)
        kept = self._graph.inputs if settings.keep_inputs else ()
        for tensor in (*self._graph.outputs, *kept):
            if tensor.data is None:
                self._find("the caller", tensor, self._port(tensor))

    def _item(self, item: Call | StepCalls, *, arriving: bool) -> None:
        """A call or a loop; where the window arrives step by step, from the caller's own steps."""
        calls, steps = (item.calls, item.steps) if isinstance(item, StepCalls) else ((item,), 1)
        for turn in turns_of(steps):
            if arriving:
                self._fill()
                if turn == 0 and not self._settings.carry_state:
                    self.reset(item_calls(self._plan.items))
            for call in calls:
                self._call(call, turn)
        for call in calls:
            self._finish(call, steps)

    def keep(self) -> None:
        """Mark what lives on from hop to hop: the first hop finds it as the last one left it."""
        for tensor in self._graph.wholes:
            if tensor.index in self._graph.kept:
                self._arena.put(*self._port(tensor))

    def reset(self, calls: Iterable[Call]) -> None:
        """Set the state of calls."""
        for call in calls:
            for position, arg in enumerate(call.args):
                if isinstance(arg, State):
                    self._arena.put(*self._bytes(call, position, 0))

    def _fill(self) -> None:
        for tensor in self._graph.inputs:
            self._arena.put(*self._port(tensor))

    def _call(self, call: Call, turn: int) -> None:
        used = {
            position: self._bytes(call, position, turn)
            for position, arg in enumerate(call.args)
            if not _is_constant(arg)
        }
        for position, place in used.items():
            arg = call.args[position]
            if position not in call.writes and not isinstance(arg, Scratch):
                self._find(call.place, arg, place)
        self._check_apart(call, used)
        for position, (start, end, mark) in used.items():
            if isinstance(call.args[position], Scratch):
                self._arena.put(start, end, None)
            elif position in call.writes:
                self._arena.put(start, end, mark)

    def _check_apart(self, call: Call, used: dict[int, _Bytes]) -> None:
        """What a call changes lies apart from what else it uses, or where its kernel lets it."""
        for changed, (start, end, _) in used.items():
            if changed not in call.writes and not isinstance(call.args[changed], Scratch):
                continue
            for other, (first, last, _) in used.items():
                apart = other == changed or end <= first or last <= start or first == last
                if not apart and not ((other, changed) in call.in_place and start == first):
                    what = f"{call.kernel} changes argument {other} while it computes {changed}"
                    self._fault(call.place, what, _tensor(call.args[other]))

    def _finish(self, call: Call, steps: int) -> None:
        """Mark what the turns that nobody walked would have marked."""
        for position in call.writes:
            if self._plan.place(call, position).step_bytes:
                start, _, mark = self._bytes(call, position, 0)
                self._arena.put(start, self._bytes(call, position, steps - 1)[1], mark)

    def _find(self, place: str, arg: Arg, where: _Bytes) -> None:
        start, end, mark = where
        if start < end and self._arena.over(start, end) != {mark}:
            what = "its state" if isinstance(arg, State) else "the value that it reads"
            self._fault(place, f"{what} is not in the arena at that moment", _tensor(arg))

    # --- places ---

    def _bytes(self, call: Call, position: int, turn: int) -> _Bytes:
        arg, place = call.args[position], self._plan.place(call, position)
        mark = self._view(arg).base if isinstance(arg, Tensor) else (id(call), position)
        return self._from(place, turn, _size(arg), mark)

    def _port(self, tensor: Tensor) -> _Bytes:
        place = self._plan.tensor_place(tensor)
        return self._from(place, 0, tensor_bytes(tensor), self._view(tensor).base)

    def _view(self, tensor: Tensor) -> View:
        return self._graph.views.get(tensor.index, View(tensor.index, 0))

    @staticmethod
    def _from(place: Place, turn: int, n_bytes: int, mark: Hashable) -> _Bytes:
        start = place.offset_bytes + turn * place.step_bytes
        return start, start + n_bytes, mark


def _is_constant(arg: Arg) -> bool:
    return isinstance(arg, Tensor) and arg.data is not None


def _tensor(arg: Arg) -> Tensor | None:
    return arg if isinstance(arg, Tensor) else None


def _size(arg: Arg) -> int:
    return tensor_bytes(arg) if isinstance(arg, Tensor) else arg.n_bytes
