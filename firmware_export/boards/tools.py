"""Programs that build for boards and phones, and reach them: where they are, or how to get them."""

from __future__ import annotations

import os
import shutil

from firmware_export.aot.cores import ARM, toolchains
from kd_edge.base.errors import KdEdgeError

_XCODE = "xcode-select --install"

# Tool -> how to get it on Debian and Ubuntu, and on macOS. Compilers stand in cores' toolchains.
PACKAGES: dict[str, tuple[str, str]] = {
    "arm-none-eabi-g++": (f"{ARM.debian} libstdc++-arm-none-eabi-newlib", ARM.macos),
    "arm-none-eabi-size": (ARM.debian, ARM.macos),
    "cc": ("apt install gcc", _XCODE),
    "clang": ("apt install clang", _XCODE),
    "size": ("apt install binutils", _XCODE),
    "qemu-system-arm": ("apt install qemu-system-arm", "brew install qemu"),
    "qemu-system-riscv32": ("apt install qemu-system-misc", "brew install qemu"),
    "adb": ("apt install adb", "brew install android-platform-tools"),
    "swift": ("swift.org/install", _XCODE),
    "pio": ("pip install platformio", "pip install platformio"),
    "idf.py": ("ESP-IDF's install.sh", "ESP-IDF's install.sh"),
    "west": ("pip install west", "pip install west"),
    "esptool": ("pip install esptool", "pip install esptool"),
    "pyocd": ("pip install pyocd", "pip install pyocd"),
    "picotool": ("github.com/raspberrypi/picotool, releases", "brew install picotool"),
    "teensy_loader_cli": ("apt install teensy-loader-cli", "brew install teensy_loader_cli"),
}


def how_to_get(tool: str) -> str:
    """Where a compiler or emulator comes from, in words."""
    compilers = {each.compiler: (each.debian, each.macos) for each in toolchains()}
    debian, brew = {**compilers, **PACKAGES}[tool]
    if debian == brew:
        return debian
    return f"Debian and Ubuntu: {debian}; macOS: {brew}"


def find_tool(name: str) -> str:
    """Path of a compiler or emulator.

    Raises:
        KdEdgeError KD_MISSING_TOOL: it is not installed; the hint names the package.
    """
    path = shutil.which(name)
    if path is None:
        raise KdEdgeError(
            "KD_MISSING_TOOL",
            f"{name} is not installed",
            hint=how_to_get(name),
        )
    return os.path.abspath(path)
