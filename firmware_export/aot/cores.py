"""The processor cores that generated C is made for."""

from __future__ import annotations

from dataclasses import dataclass

from kd_edge.base.errors import KdEdgeError


@dataclass(frozen=True)
class Core:
    """One core.

    Attributes:
        name: as in `--core`.
        title: as its maker writes it.
        flags: compiler flags that select it, for `compiler`.
        compiler: the gcc that builds for it; None where this machine's own does.
        dsp: 32-bit SIMD on two halfwords (SMLAD and its kin, Armv7E-M and Armv8-M with DSP).
        mve: Helium, integer part; such a core has `dsp` too.
    """

    name: str
    title: str
    flags: tuple[str, ...]
    compiler: str | None
    dsp: bool = False
    mve: bool = False

    @property
    def variants(self) -> tuple[str, ...]:
        """Endings of kernel files that run here, the fastest first; '' is portable C99."""
        return (*(("_mve",) if self.mve else ()), *(("_dsp",) if self.dsp else ()), "")


_ARM = "arm-none-eabi-gcc"
_ALL = (
    Core("host", "this machine, portable C99", (), None),
    Core("m0plus", "Cortex-M0+", ("-mcpu=cortex-m0plus", "-mthumb"), _ARM),
    Core("m3", "Cortex-M3", ("-mcpu=cortex-m3", "-mthumb"), _ARM),
    Core(
        "m4",
        "Cortex-M4F",
        ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
        _ARM,
        dsp=True,
    ),
    Core(
        "m7",
        "Cortex-M7",
        ("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"),
        _ARM,
        dsp=True,
    ),
    Core(
        "m33",
        "Cortex-M33",
        ("-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"),
        _ARM,
        dsp=True,
    ),
    Core(
        "m55",
        "Cortex-M55 with Helium",
        ("-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-mfpu=auto"),
        _ARM,
        dsp=True,
        mve=True,
    ),
    Core(
        "rv32imc",
        "RISC-V RV32IMC",
        # Debian's RISC-V compiler brings no C library; picolibc stands beside it.
        ("-march=rv32imc", "-mabi=ilp32", "--specs=picolibc.specs"),
        "riscv64-unknown-elf-gcc",
    ),
    Core("lx7", "Xtensa LX7 of the ESP32-S3", (), "xtensa-esp32s3-elf-gcc"),
)
CORES = {core.name: core for core in _ALL}


def find_core(name: str) -> Core:
    """The core of that name.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: there is none; the hint lists them.
    """
    if name not in CORES:
        raise KdEdgeError(
            "KD_UNKNOWN_NAME", f"no core is called {name!r}", hint=f"one of {', '.join(CORES)}"
        )
    return CORES[name]
