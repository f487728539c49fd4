"""Files in place of a board's flash, for firmware that runs as a process of this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from firmware_export.firmware import Firmware

_KEEP_IN_FILES = r"""
#include "kd_keep.h"

#include <stdio.h>

static const char *const files[] = {KD_FILES};

bool kd_keep_write(kd_kept what, const uint8_t *bytes, uint32_t n)
{
    FILE *file = fopen(files[what], "wb");
    const bool whole = file != NULL && fwrite(bytes, 1, n, file) == n;
    return file != NULL && fclose(file) == 0 && whole;
}

uint32_t kd_keep_read(kd_kept what, uint8_t *bytes, uint32_t most)
{
    FILE *file = fopen(files[what], "rb");
    const size_t n = file != NULL ? fread(bytes, 1, most, file) : 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    return (uint32_t)n;
}
"""


def head_and_normaliser(folder: Path) -> tuple[Path, Path]:
    """Where each is kept, in the order of KD_KEPT_…."""
    return folder / "head.bin", folder / "normaliser.bin"


def kept_in_files(firmware: Firmware, folder: Path) -> Firmware:
    """The firmware with a hook of its user's that keeps in these files."""
    files = ", ".join(f'"{file}"' for file in head_and_normaliser(folder))
    text = _KEEP_IN_FILES.replace("KD_FILES", files)
    return replace(firmware, files={**firmware.files, "kd_keep_stub.c": text})
