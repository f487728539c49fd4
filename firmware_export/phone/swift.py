"""A recogniser for iOS and macOS: a Swift package of a C target, a class, a test and a view."""

from __future__ import annotations

from collections.abc import Mapping

from firmware_export.aot.cores import AARCH64, X86_64
from firmware_export.phone.app import app_values, golden_bytes, quoted
from firmware_export.phone.sources import phone_sources
from firmware_export.projects.layouts import TEMPLATES, ProjectFacts
from firmware_export.settings import FirmwareSettings, Golden
from kd_edge.base.product import Product
from kd_edge.base.templates import templates

C_TARGET = "Sources/CKdEdge"
# The interface, which alone Swift sees.
_INTERFACE = "kd_phone.h"
_TEXTS = {
    "Package.swift": "Package.swift",
    "README.md": "README.md",
    f"{C_TARGET}/include/module.modulemap": "module.modulemap",
    "Sources/KdEdge/Recogniser.swift": "Recogniser.swift",
    "Sources/KdEdgeSample/SampleView.swift": "SampleView.swift",
    "Tests/KdEdgeTests/GoldenTests.swift": "GoldenTests.swift",
}
_ARM = "#if defined(__aarch64__)"
_INTEL = "#if defined(__x86_64__)"
# A package cannot say -ffp-contract=off to its users' compilers: its sources say it.
_NO_FUSED = "#pragma STDC FP_CONTRACT OFF\n"


def swift_files(
    product: Product,
    settings: FirmwareSettings,
    golden: Golden,
    facts: ProjectFacts,
    *,
    hop_s: float | None,
) -> dict[str, bytes]:
    """Every file of the package: path below its folder -> content.

    Args:
        hop_s: as `phone_sources` takes it.

    Raises:
        KdEdgeError: as `phone_sources`.
    """
    arm, intel = (
        phone_sources(product, core.name, settings, hop_s=hop_s) for core in (AARCH64, X86_64)
    )
    sources = for_both(arm.files, intel.files)
    values = app_values(product, settings, facts, hop_s=hop_s, string=_string) | {
        "defines": sorted(arm.defines.items())
    }
    environment = templates(TEMPLATES / "swift", escape=False)
    files = {
        path: environment.get_template(f"{name}.j2").render(values).encode()
        for path, name in _TEXTS.items()
    }
    files |= {
        f"{C_TARGET}/{'include/' if name == _INTERFACE else ''}{name}": text.encode()
        for name, text in sources.items()
    }
    files["Sources/KdEdge/golden.bin"] = golden_bytes(golden)
    return dict(sorted(files.items()))


def for_both(arm: Mapping[str, str], intel: Mapping[str, str]) -> dict[str, str]:
    """Sources that compile for 64-bit Arm and for x86-64, each to its own kernels.

    A file of one processor alone, or of two forms, stands behind the compiler's word for it.
    """
    both = {}
    for name in sorted(arm.keys() | intel.keys()):
        of_arm, of_intel = arm.get(name), intel.get(name)
        if of_intel is None:
            text = f"{_ARM}\n{of_arm}#endif\n"
        elif of_arm is None:
            text = f"{_INTEL}\n{of_intel}#endif\n"
        elif of_arm == of_intel.replace(X86_64.title, AARCH64.title):
            text = of_arm.replace(AARCH64.title, f"{AARCH64.title} and {X86_64.title}")
        else:
            text = f"{_ARM}\n{of_arm}#else\n{of_intel}#endif\n"
        both[name] = _NO_FUSED + text if name.endswith(".c") else text
    return both


def _string(text: str) -> str:
    """A Swift string."""
    return quoted([ord(character) for character in text], "\\u{{{:x}}}")
