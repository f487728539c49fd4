"""A model as plain C, compiled to a shared library of this machine: TFLite Micro's answers.

It stands in for TFLite Micro's interpreter where that has no wheel: Windows, macOS, Linux on Arm.
"""

from __future__ import annotations

import ctypes
import shutil
import tempfile
import weakref
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.cores import core_here
from firmware_export.aot.lower import LOWERINGS
from firmware_export.library import EXPORT, build_library, compiler_version, host_compiler
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import Tensor
from kd_edge.base.formats import Format
from kd_edge.base.tensors import TensorSpec
from kd_edge.runtimes.interpreter import Interpreter
from kd_edge.runtimes.record import Runtime
from kd_edge.runtimes.results import PLAIN_C as NAME

_TITLE = "plain C"


class PlainCInterpreter(Interpreter):
    """A model as plain C in this process. What several of them compute stays apart.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_TFLITE, KD_UNSUPPORTED_OP: as `compile_model`.
        KdEdgeError KD_MISSING_TOOL: no C compiler. KD_COMPILE: it refuses the sources.
    """

    def __init__(self, path: Path):
        settings = CompileSettings(core=core_here().name, carry_state=True, keep_inputs=True)
        compiled = compile_model(path, settings)
        graph = compiled.graph
        self.inputs = tuple(_spec(tensor) for tensor in graph.inputs)
        self.outputs = tuple(_spec(tensor) for tensor in graph.outputs)
        glue = _glue(settings.prefix, len(self.inputs), len(self.outputs))
        self._library = load_own(build_library({**compiled.files, "kd_library.c": glue}))
        for name in ("kd_library_input", "kd_library_output"):
            function = getattr(self._library, name)
            function.restype, function.argtypes = ctypes.c_void_p, (ctypes.c_uint32,)
        self._inputs = self._arrays(self._library.kd_library_input, self.inputs)
        self._outputs = self._arrays(self._library.kd_library_output, self.outputs)
        self.reset()

    def _arrays(self, place, specs: Sequence[TensorSpec]) -> tuple[np.ndarray, ...]:
        """The library's own memory as arrays."""
        found = []
        for index, spec in enumerate(specs):
            dtype = np.dtype(spec.dtype)
            n_bytes = int(np.prod(spec.shape, dtype=np.int64)) * dtype.itemsize
            memory = (ctypes.c_uint8 * n_bytes).from_address(place(index))
            found.append(np.frombuffer(memory, dtype).reshape(spec.shape))
        return tuple(found)

    def reset(self) -> None:
        self._library.kd_library_reset()

    def _set_inputs(self, arrays: Sequence[np.ndarray]) -> None:
        for place, array in zip(self._inputs, arrays, strict=True):
            place[...] = array

    def invoke(self) -> None:
        self._library.kd_library_invoke()

    def answers(self) -> tuple[np.ndarray, ...]:
        return tuple(output.copy() for output in self._outputs)


def load_own(path: Path) -> ctypes.CDLL:
    """A library with variables of its own, however often the same file is loaded.

    It is loaded from a copy: the system gives a file that is loaded already a second time.
    """
    folder = Path(tempfile.mkdtemp(prefix="kd-edge-"))
    copy = Path(shutil.copy(path, folder))
    try:
        library = ctypes.CDLL(str(copy))
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise KdEdgeError(
            "KD_COMPILE",
            "the compiled library cannot be loaded",
            where=str(error),
            hint=f"delete {path}: it is built again; the compiler must build for this Python",
        ) from error
    # Windows keeps a loaded file until the process ends: there the copy is left to its clean-up.
    weakref.finalize(library, shutil.rmtree, folder, ignore_errors=True)
    return library


def _glue(prefix: str, n_inputs: int, n_outputs: int) -> str:
    """Functions of one name for every model."""
    inputs = "".join(f"    case {i}u: return {prefix}_input_{i}();\n" for i in range(n_inputs))
    outputs = "".join(f"    case {i}u: return {prefix}_output_{i}();\n" for i in range(n_outputs))
    return f"""#include <stddef.h>
#include "{prefix}.h"
{EXPORT}
KD_EXPORT void *kd_library_input(uint32_t index);
KD_EXPORT const void *kd_library_output(uint32_t index);
KD_EXPORT void kd_library_reset(void);
KD_EXPORT void kd_library_invoke(void);

void *kd_library_input(uint32_t index)
{{
    switch (index) {{
{inputs}    default: return NULL;
    }}
}}

const void *kd_library_output(uint32_t index)
{{
    switch (index) {{
{outputs}    default: return NULL;
    }}
}}

void kd_library_reset(void) {{ {prefix}_reset(); }}
void kd_library_invoke(void) {{ {prefix}_invoke(); }}
"""


def _spec(tensor: Tensor) -> TensorSpec:
    quantised = np.issubdtype(np.dtype(tensor.dtype), np.integer) and len(tensor.scales) == 1
    return TensorSpec(
        name=tensor.name,
        shape=tuple(tensor.shape),
        dtype=tensor.dtype,
        scale=float(tensor.scales[0]) if quantised else None,
        zero_point=int(tensor.zero_points[0]) if quantised else None,
    )


def open_plain_c(path: Path, *, preserve_tensors: bool, threads: int) -> Interpreter:
    """A model as plain C. Raises as `PlainCInterpreter`, and KD_USAGE for what it does not have."""
    if threads != 1:
        raise KdEdgeError("KD_USAGE", f"{_TITLE} runs on one thread, not {threads}")
    del preserve_tensors
    return PlainCInterpreter(path)


def refuses_floats(form: Format, operators: Collection[str]) -> str:
    """What the engine has no kernels for: a reason, or ''."""
    unknown = sorted(set(operators) - set(LOWERINGS))
    if unknown:
        return f"{_TITLE} has no {', '.join(unknown)}"
    return "" if form.integer else f"{_TITLE} computes integers alone"


PLAIN_C = Runtime(
    name=NAME,
    title=_TITLE,
    summary=f"{_TITLE} on this machine, in TFLite Micro's place where that has no wheel",
    package=None,
    distribution=None,
    install="your system's C compiler, or pip install 'kd-edge[compiler]'",
    open=open_plain_c,
    refuses=refuses_floats,
    present=lambda: host_compiler() is not None,
    version=compiler_version,
    oracle=True,
    stands_in=True,
    inner_tensors=False,
)
