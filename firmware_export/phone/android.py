"""A recogniser for Android: libraries without an NDK, a Kotlin class, a sample app for Gradle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from firmware_export.aot.cores import AARCH64, HOST, WASM, X86_64
from firmware_export.firmware import RUNTIME
from firmware_export.phone.app import app_values, golden_bytes, quoted
from firmware_export.phone.clang import find_clang, link
from firmware_export.phone.sources import PhoneSources, phone_sources
from firmware_export.project import ProjectFacts
from firmware_export.projects.layouts import TEMPLATES
from firmware_export.settings import FirmwareSettings, Golden
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import model_bytes
from kd_edge.base.product import Product
from kd_edge.base.templates import templates

_PAGE_BYTES = 16384
# Every 32-bit phone that Android still runs on has these.
V7A = ("-mcpu=generic+v7a+neon+vfp3",)
_KOTLIN = "src/main/kotlin/org/kdedge"
# Path below the project -> template.
_TEXTS = {
    "README.md": "README.md",
    "settings.gradle.kts": "settings.gradle.kts",
    "build.gradle.kts": "build.gradle.kts",
    "recogniser/build.gradle.kts": "recogniser.gradle.kts",
    f"recogniser/{_KOTLIN}/Native.kt": "Native.kt",
    f"recogniser/{_KOTLIN}/Recogniser.kt": "Recogniser.kt",
    "app/build.gradle.kts": "app.gradle.kts",
    "app/src/main/AndroidManifest.xml": "AndroidManifest.xml",
    f"app/{_KOTLIN}/sample/MainActivity.kt": "MainActivity.kt",
}


_LITERT_TEXTS = {
    "litert/build.gradle.kts": "litert.gradle.kts",
    f"litert/{_KOTLIN}/litert/LiteRtEngine.kt": "LiteRtEngine.kt",
}


@dataclass(frozen=True)
class Abi:
    """One of Android's binary interfaces.

    Attributes:
        name: its folder. core: a key of `CORES`.
        zig, clang: flags that select it; None: that compiler cannot link it.
    """

    name: str
    core: str
    zig: tuple[str, ...]
    clang: tuple[str, ...] | None


ABIS = (
    Abi(
        "arm64-v8a",
        AARCH64.name,
        ("--target=aarch64-linux-none",),
        ("--target=aarch64-linux-android24",),
    ),
    # 64-bit numbers are divided by functions that zig brings and a system's clang does not.
    Abi(
        "armeabi-v7a",
        HOST.name,
        ("--target=arm-linux-none", *V7A),
        None,
    ),
    Abi(
        "x86_64",
        X86_64.name,
        ("--target=x86_64-linux-none",),
        ("--target=x86_64-linux-android24",),
    ),
)


def android_files(
    product: Product,
    settings: FirmwareSettings,
    golden: Golden,
    facts: ProjectFacts,
    *,
    hop_s: float | None,
    abis: Sequence[Abi] = ABIS,
) -> dict[str, bytes]:
    """Every file of the project: path below its folder -> content.

    Args:
        hop_s: as `phone_sources` takes it.

    Raises:
        KdEdgeError: as `phone_sources` and `build_library`.
    """
    libraries = {
        abi.name: build_library(phone_sources(product, abi.core, settings, hop_s=hop_s), abi)
        for abi in abis
    }
    litert = _litert(product)
    values = app_values(product, settings, facts, hop_s=hop_s, string=_string) | {
        "with_litert": bool(litert),
        "input_sizes": ", ".join(str(prod(each.shape)) for each in product.inputs),
        "abis": list(libraries),
        "sizes": [(name, len(content)) for name, content in libraries.items()],
    }
    environment = templates(TEMPLATES / "android", escape=False)
    files = {
        path: environment.get_template(f"{name}.j2").render(values).encode()
        for path, name in (_TEXTS | (_LITERT_TEXTS if litert else {})).items()
    }
    files |= litert
    files |= {
        f"recogniser/src/main/jniLibs/{name}/libkd.so": content
        for name, content in libraries.items()
    }
    files["app/src/main/assets/golden.bin"] = golden_bytes(golden)
    files["gradle.properties"] = b"android.useAndroidX=true\n"
    return dict(sorted(files.items()))


def build_library(sources: PhoneSources, abi: Abi) -> bytes:
    """libkd.so for one ABI: it needs no other library, and its segments fit pages of 16 KiB.

    Raises:
        KdEdgeError KD_MISSING_TOOL: no compiler can link it. KD_COMPILE: it refuses the sources.
    """
    clang = find_clang("ld.lld")
    own = abi.zig if clang.of_zig else abi.clang
    if own is None:
        raise KdEdgeError(
            "KD_MISSING_TOOL",
            f"{clang.name} cannot link for {abi.name}: it lacks the divisions of 64-bit numbers",
            hint="pip install 'kd-edge[compiler]'",
        )
    options = [
        *own,
        *("-std=c99", "-O3", "-ffp-contract=off", "-fvisibility=hidden", "-shared", "-fPIC"),
        *("-ffreestanding", "-fno-builtin", "-ffunction-sections", "-fdata-sections", "-nostdlib"),
        *(("-lcompiler_rt",) if clang.of_zig else ("-fuse-ld=lld",)),
        *("-Wl,--gc-sections", "-Wl,-s", "-Wl,-soname,libkd.so", "-Wl,-z,defs"),
        f"-Wl,-z,max-page-size={_PAGE_BYTES}",
        "-DKD_PHONE_OUTSIDE",
        *(f"-D{name}={value}" for name, value in sources.defines.items()),
    ]
    files = {**sources.files, **_beside()}
    return link(clang, files, options, what=f"libkd.so for {abi.name}", output="libkd.so")


def _litert(product: Product) -> dict[str, bytes]:
    """The model for LiteRT, which runs one model alone; nothing of several."""
    if product.composition is not None:
        return {}
    (member,) = product.members
    return {"litert/src/main/assets/model.int8.tflite": model_bytes(member.path)}


def _beside() -> Mapping[str, str]:
    """The native methods, and what the sources need of a C library."""
    paths = [RUNTIME / "jni" / "kd_jni.c", *WASM.libc.iterdir()]
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def _string(text: str) -> str:
    """A Kotlin string."""
    units = memoryview(text.encode("utf-16-le")).cast("H")
    return quoted(units.tolist(), "\\u{:04x}")
