"""Compiled models as a folder: sources, how to build them, a README and a manifest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_export import c_text
from firmware_export.aot.compiler import Compiled
from firmware_export.aot.constants import C_TYPES
from firmware_export.aot.kernels import kernel_variant
from firmware_export.aot.schedule import item_calls
from firmware_export.engines import PLAIN_C
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import (
    is_unaltered,
    output_error,
    remove_own,
    sha256_text,
    stays_inside,
    write_text,
)
from kd_edge.base.flatbuffer import Tensor
from kd_edge.base.product import Product
from kd_edge.base.templates import templates
from kd_edge.base.untrusted import read_json, read_regular

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1

# What every build of the sources takes beside: unused functions and data can be left out.
SECTION_FLAGS = ("-ffunction-sections", "-fdata-sections")

# Every file that an export writes says who made it.
_OURS = re.compile(rb"kd-edge \d+\.\d+")

_VARIANTS = {
    "": "portable C99",
    "_dsp": "DSP extension",
    "_mve": "Helium",
    "_simd128": "128-bit vectors",
    "_neon": "NEON",
    "_x86": "SSE2, AVX2 if the compiler is told to use it",
}


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        folder: where.
        files: names, sorted; the manifest is among them.
    """

    folder: Path
    files: tuple[str, ...]


def build_files(
    compiled: Compiled,
    *,
    optimize: str,
    beside: Mapping[str, str] | None = None,
    title: str = "A quantised model",
) -> dict[str, str]:
    """Every file for a project but the manifest: name -> text.

    Args:
        optimize: a key of the core's `options`, of which Makefile and CMakeLists.txt have it.
        beside: sources that go with the model, `kd_run.c` among them; name -> text.
        title: of the README, before 'as plain C'.
    """
    files = {**compiled.files, **(beside or {})}
    sources = sorted(name for name in files if name.endswith(".c"))
    values = {
        "title": c_text.comment(title),
        "has_run": beside is not None,
        "prefix": compiled.settings.prefix,
        "PREFIX": compiled.settings.prefix.upper(),
        "generator": c_text.comment(compiled.settings.generator),
        "sha256": compiled.model.sha256,
        "core": compiled.core,
        "settings": compiled.settings,
        "optimize": optimize,
        "flags": (*compiled.core.flags, compiled.core.options[optimize], *SECTION_FLAGS),
        "sources": sources,
        "kernels": _kernels(compiled),
        "inputs": [_port(tensor) for tensor in compiled.graph.inputs],
        "outputs": [_port(tensor) for tensor in compiled.graph.outputs],
        "arena_bytes": compiled.schedule.plan.arena_bytes,
        "constant_bytes": compiled.constant_bytes,
    }
    environment = templates("firmware_export", escape=False)
    written = ("README.md", "Makefile", "CMakeLists.txt")
    return files | {
        name: environment.get_template(f"aot_{name}.j2").render(values) for name in written
    }


def compiled_sources(compiled: Sequence[Compiled]) -> dict[str, str]:
    """The models' files, and each kernel that any of them calls once; name -> text."""
    return {name: text for each in compiled for name, text in each.files.items()}


def build_composed_files(
    product: Product,
    compiled: Sequence[Compiled],
    *,
    optimize: str,
    beside: Mapping[str, str],
    title: str,
) -> dict[str, str]:
    """`build_files` of several models that answer as one."""
    files = {**compiled_sources(compiled), **beside}
    first = compiled[0]
    scores, _ = product.outputs
    values = {
        "title": c_text.comment(title),
        "prefix": "kd_product",
        "generator": c_text.comment(first.settings.generator),
        "sha256": product.sha256,
        "core": first.core,
        "optimize": optimize,
        "flags": (*first.core.flags, first.core.options[optimize], *SECTION_FLAGS),
        "sources": sorted(name for name in files if name.endswith(".c")),
        "rule": product.composition.rule,
        "models": [
            {
                "name": c_text.comment(member.name),
                "prefix": each.settings.prefix,
                "arena_bytes": each.schedule.plan.arena_bytes,
                "constant_bytes": each.constant_bytes,
            }
            for member, each in zip(product.members, compiled, strict=True)
        ],
        "inputs": [c_text.comment(spec.name) for spec in product.inputs],
        "output_scale": c_text.float32(scores.scale),
        "output_zero": scores.zero_point,
    }
    written = {"README.md": "aot_composed_README.md"}
    written |= {name: f"aot_{name}" for name in ("Makefile", "CMakeLists.txt")}
    environment = templates("firmware_export", escape=False)
    return files | {
        name: environment.get_template(f"{template}.j2").render(values)
        for name, template in written.items()
    }


def write_export(
    out: Path,
    compiled: Compiled | Sequence[Compiled],
    files: Mapping[str, str],
    *,
    optimize: str,
) -> Exported:
    """Write the files and their manifest; what an earlier export left and this one lacks goes.

    A file of an earlier export that has been edited since stays.

    Args:
        files: every file but the manifest, name -> text.

    Raises:
        KdEdgeError KD_OUTPUT: the folder is none, cannot be written, or holds another engine's
            export or someone's own files, whose names are the same.
    """
    earlier = _earlier_files(out)
    _keep_foreign(out, files.keys() - earlier.keys())
    models = (compiled,) if isinstance(compiled, Compiled) else tuple(compiled)
    whole = {**files, MANIFEST: _manifest(models, files, optimize)}
    for name in sorted(whole):
        write_text(out / name, whole[name])
    for name in sorted(earlier.keys() - files.keys()):
        remove_own(out, name, earlier[name])
    return Exported(out, tuple(sorted(whole)))


def _kernels(compiled: Compiled) -> list[tuple[str, str]]:
    names = sorted({call.kernel for call in item_calls(compiled.schedule.items)})
    return [(name, _VARIANTS[kernel_variant(name, compiled.core)]) for name in names]


def _port(tensor: Tensor) -> dict[str, object]:
    return {
        "name": c_text.comment(tensor.name),
        "c_type": C_TYPES[tensor.dtype],
        "shape": " × ".join(str(size) for size in tensor.shape) or "1",
        "scale": c_text.float32(tensor.scales[0]) if len(tensor.scales) == 1 else None,
        "zero_point": tensor.zero_points[0] if len(tensor.zero_points) == 1 else 0,
    }


def _earlier_files(out: Path) -> dict[str, str]:
    """Name -> SHA-256 of what an earlier export of this engine wrote here, and is unaltered."""
    if out.exists() and not out.is_dir():
        raise KdEdgeError(
            "KD_OUTPUT",
            f"{out.name} is a file, not a folder",
            where=str(out),
            hint="name a folder; it is made where there is none",
        )
    try:
        content = read_json(out / MANIFEST)
        engine = content["engine"]
        files = {str(entry["path"]): str(entry.get("sha256")) for entry in content["files"]}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise output_error(out / MANIFEST, error) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _foreign(out, "a manifest.json that kd-edge did not write") from error
    if engine != PLAIN_C.name:
        raise _foreign(out, f"an export for another engine ('{engine}')")
    # Names alone: a manifest must never lead out of its folder.
    names = [name for name in files if "/" not in name and stays_inside(name)]
    return {name: files[name] for name in names if is_unaltered(out / name, files[name])}


def _keep_foreign(out: Path, names: Iterable[str]) -> None:
    """Refuse to overwrite files that nobody's manifest names, unless they say they are ours.

    An export that was cut short has left such files: each names kd-edge and its version.
    """
    for name in sorted(names):
        try:
            content = read_regular(out / name)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise output_error(out / name, error) from error
        if content and not _OURS.search(content):
            raise _foreign(out, f"a {name} that kd-edge did not write", name)


def _foreign(out: Path, what: str, name: str = MANIFEST) -> KdEdgeError:
    return KdEdgeError(
        "KD_OUTPUT",
        f"the folder holds {what}, which would be overwritten",
        where=str(out / name),
        hint="name another folder",
    )


def _manifest(compiled: Sequence[Compiled], files: Mapping[str, str], optimize: str) -> str:
    """Of one model its facts at the top; of several the same facts of each, in `models`."""
    settings = compiled[0].settings
    facts = [_facts(each) for each in compiled]
    one = len(facts) == 1
    content = {
        "manifest_version": MANIFEST_VERSION,
        "generator": settings.generator,
        "engine": PLAIN_C.name,
        **({"model": facts[0].pop("model")} if one else {}),
        "core": compiled[0].core.name,
        "optimize": optimize,
        **(facts[0] if one else {"models": facts}),
        "files": [
            {
                "path": name,
                "bytes": len(text.encode("utf-8")),
                "sha256": sha256_text(text),
            }
            for name, text in sorted(files.items())
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _facts(compiled: Compiled) -> dict[str, object]:
    settings = compiled.settings
    return {
        "model": {"sha256": compiled.model.sha256, "bytes": compiled.model.n_bytes},
        "prefix": settings.prefix,
        "carry_state": settings.carry_state,
        "keep_inputs": settings.keep_inputs,
        "bands": settings.bands,
        "stream": settings.stream,
        "hop": None if settings.hop is None else str(settings.hop),
        "arena_bytes": compiled.schedule.plan.arena_bytes,
        "constant_bytes": compiled.constant_bytes,
        "kernels": [f"{name} ({variant})" for name, variant in _kernels(compiled)],
    }
