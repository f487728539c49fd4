"""The processor cores that generated C is made for: one record each."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware_export.aot.rates import MIXES, RATES
from kd_edge.base.registry import Registry

Mix = Mapping[str, float]

# What sources need of a C library, for compilers that bring none.
_NO_LIBC = Path(__file__).resolve().parents[1] / "runtime" / "no_libc"

# `--optimize`: for little memory, or for few cycles.
SIZE, SPEED = "size", "speed"


@dataclass(frozen=True)
class Toolchain:
    """What builds and emulates programs for a family of cores.

    Attributes:
        compiler: its gcc; clang for WebAssembly.
        debian, macos: how to get it there.
        needed_for: what does not work without it.
        packed: a distribution packs it, so that sources are checked with it.
        emulator: QEMU for boards with such cores, None where there are none.
        startup: C files in boards/common/ that start such a board, and end it.
    """

    compiler: str
    debian: str
    macos: str
    needed_for: str
    packed: bool = True
    emulator: str | None = None
    startup: tuple[str, ...] = ()

    @property
    def gnu_prefix(self) -> str | None:
        """What the names of its binutils begin with; None for LLVM's."""
        return self.compiler.removesuffix("gcc") if self.compiler.endswith("gcc") else None

    @property
    def archiver(self) -> str:
        """What makes a library of its object files."""
        return "llvm-ar" if self.gnu_prefix is None else f"{self.gnu_prefix}ar"


@dataclass(frozen=True)
class Timing:
    """How long kernels take on a core: measured instructions, and the manual's cycles for them.

    Attributes:
        rates: kernel -> instructions a multiply-accumulate, value, result and run, as
            `RATES` has them; of a like core where this one has no emulated board.
        mix: shares of executed instructions, as `MIXES` has them.
        low, high: cycles an instruction, of that mix.
        basis: the manual and what was taken from it.
    """

    rates: Mapping[str, tuple[float, float, float, float]]
    mix: Mix
    low: Callable[[Mix], float]
    high: Callable[[Mix], float]
    basis: str


@dataclass(frozen=True)
class Core:
    """One core.

    Attributes:
        name: as in `--core`.
        title: as its maker writes it.
        flags: compiler flags that select it.
        toolchain: what builds for it; None where this machine's own compiler does.
        dsp: 32-bit SIMD on two halfwords (SMLAD and its kin, Armv7E-M and Armv8-M with DSP).
        mve: Helium, integer part; such a core has `dsp` too.
        vector: ending of the kernels' files for another core's vectors, such as '_neon'.
        big: a phone's or a computer's: its sources are built for speed, at -O3, unless asked
            otherwise (-Os takes 5 times the instructions there).
        libc: folder with what the sources need of a C library, for a compiler without one.
        timing: None where nothing was measured.
    """

    name: str
    title: str
    flags: tuple[str, ...] = ()
    toolchain: Toolchain | None = None
    dsp: bool = False
    mve: bool = False
    vector: str | None = None
    big: bool = False
    libc: Path | None = None
    timing: Timing | None = None

    @property
    def compiler(self) -> str | None:
        """The gcc that builds for it; None where this machine's own does."""
        return self.toolchain.compiler if self.toolchain else None

    @property
    def cpu(self) -> str:
        """What compilers call it: 'cortex-m4'; its own name where they need not be told."""
        named = (f.removeprefix("-mcpu=") for f in self.flags if f.startswith("-mcpu="))
        return next(named, self.name)

    @property
    def variants(self) -> tuple[str, ...]:
        """Endings of kernel files that run here, the fastest first; '' is portable C99."""
        own = (self.vector,) if self.vector else ()
        return (*(("_mve",) if self.mve else ()), *(("_dsp",) if self.dsp else ()), *own, "")

    @property
    def optimize(self) -> str:
        """What its sources are built for if nobody says: `SIZE` or `SPEED`."""
        return SPEED if self.big else SIZE

    @property
    def options(self) -> Mapping[str, str]:
        """`SIZE`, `SPEED` -> the option of gcc and clang; the sources are the same."""
        return {SIZE: "-Os", SPEED: "-O3" if self.big else "-O2"}


ARM = Toolchain(
    compiler="arm-none-eabi-gcc",
    debian="apt install gcc-arm-none-eabi libnewlib-arm-none-eabi",
    macos="brew install gcc-arm-embedded",
    needed_for="Cortex-M images and flash figures",
    emulator="qemu-system-arm",
    startup=("kd_board_cortex_m.c", "kd_board_start.c", "kd_board_semihosting.c"),
)
_RISC_V = Toolchain(
    compiler="riscv64-unknown-elf-gcc",
    debian="apt install gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
    macos="brew install riscv64-elf-gcc",
    needed_for="RISC-V images and checks of the exported C",
    emulator="qemu-system-riscv32",
    startup=("kd_board_riscv.c", "kd_board_start.c", "kd_board_semihosting.c"),
)
_XTENSA = Toolchain(
    compiler="xtensa-esp32s3-elf-gcc",
    debian="ESP-IDF's install.sh esp32s3",
    macos="ESP-IDF's install.sh esp32s3",
    needed_for="ESP-IDF projects",
    packed=False,
)
_WASM = Toolchain(
    compiler="clang",
    debian="apt install clang lld llvm",
    macos="brew install llvm lld",
    needed_for="WebAssembly",
)
_AARCH64 = Toolchain(
    compiler="aarch64-linux-gnu-gcc",
    debian="apt install gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    macos="brew install aarch64-unknown-linux-gnu",
    needed_for="checks of the exported C on 64-bit Arm",
)
_X86_64 = Toolchain(
    compiler="x86_64-linux-gnu-gcc",
    debian="apt install gcc, elsewhere than on x86-64 gcc-x86-64-linux-gnu",
    macos="brew install x86_64-unknown-linux-gnu",
    needed_for="checks of the exported C on x86-64",
)


# Cycles rest on what Arm's technical reference manuals say of each core's issue, loads and
# branches, applied to the mix of instructions that the kernels execute:
#
# - Cortex-M3, DDI 0337, and Cortex-M4, DDI 0439, "Instruction set summary" and "Load/store
#   timings": one instruction at a time; a load takes two cycles, less one where another load or
#   store stands before it; a taken branch refills the pipeline in one to three more cycles. On the
#   M3 MLA takes two cycles and a multiplication to 64 bits three to seven, on the M4 one.
# - Cortex-M7, DDI 0489: in-order issue of up to two instructions a cycle, branches predicted; the
#   manual has no table of timings.
# - Cortex-M33, 100230: as the M4, but pairs of some 16-bit instructions issue together; no table.
# - Cortex-M55, 101051: the same, and a vector instruction occupies its 64-bit data path for two
#   cycles, over which one of another kind may overlap.


def _single_issue(mix: Mix) -> float:
    return 1 + mix["taken"]


def _single_issue_stalled(mix: Mix) -> float:
    return 1 + mix["load"] + 3 * mix["taken"]


def _paired(mix: Mix) -> float:
    return 1 - mix["narrow"] / 2


_M3 = Timing(
    RATES["m3"],
    MIXES["m3"],
    lambda mix: _single_issue(mix) + mix["mla"] + 2 * mix["long"],
    lambda mix: _single_issue_stalled(mix) + mix["mla"] + 6 * mix["long"],
    "Arm DDI 0337: one instruction a cycle; loads 1 to 2, taken branches 2 to 4, MLA 2, "
    "64-bit products 3 to 7 cycles",
)
_M4 = Timing(
    RATES["m4"],
    MIXES["m4"],
    _single_issue,
    _single_issue_stalled,
    "Arm DDI 0439: one instruction a cycle; loads 1 to 2, taken branches 2 to 4 cycles",
)
_M7 = Timing(
    RATES["m4"],
    MIXES["m4"],
    lambda mix: 0.5,
    lambda mix: 1.0,
    "Arm DDI 0489: up to two instructions a cycle, branches predicted, caches hit; the manual "
    "has no timings",
)
_M33 = Timing(
    RATES["m4"],
    MIXES["m4"],
    _paired,
    _single_issue_stalled,
    "Arm 100230: as Cortex-M4, but pairs of 16-bit instructions may issue together; the manual "
    "has no timings",
)
_M55 = Timing(
    RATES["m55"],
    MIXES["m55"],
    _paired,
    lambda mix: _single_issue_stalled(mix) + mix["vector"],
    "Arm 101051: pairs of 16-bit instructions may issue together, a vector instruction takes "
    "two cycles less what overlaps; the manual has no timings",
)


def _arm(cpu: str, fpu: str | None = None) -> tuple[str, ...]:
    hard = ("-mfloat-abi=hard", f"-mfpu={fpu}") if fpu else ()
    return (f"-mcpu=cortex-{cpu}", "-mthumb", *hard)


# Portable C99 for whatever compiles it; the default wherever a core may be named.
HOST = Core("host", "this machine, portable C99")
# The core that flash figures hold for.
M4 = Core("m4", "Cortex-M4F", _arm("m4", "fpv4-sp-d16"), ARM, dsp=True, timing=_M4)
# The one with vectors.
M55 = Core(
    "m55",
    "Cortex-M55 with Helium",
    _arm("m55", "auto"),
    ARM,
    dsp=True,
    mve=True,
    timing=_M55,
)
# What every browser runs.
WASM = Core("wasm", "WebAssembly", ("--target=wasm32",), _WASM, big=True, libc=_NO_LIBC)
WASM_SIMD = Core(
    "wasm-simd128",
    "WebAssembly with 128-bit vectors",
    ("--target=wasm32", "-msimd128"),
    _WASM,
    vector="_simd128",
    big=True,
    libc=_NO_LIBC,
)
AARCH64 = Core("aarch64", "64-bit Arm (Armv8-A)", (), _AARCH64, vector="_neon", big=True)
X86_64 = Core("x86-64", "x86-64", (), _X86_64, vector="_x86", big=True)

CORES: Registry[Core] = Registry(
    "core",
    (
        HOST,
        Core("m0", "Cortex-M0", _arm("m0"), ARM),
        Core("m0plus", "Cortex-M0+", _arm("m0plus"), ARM),
        Core("m3", "Cortex-M3", _arm("m3"), ARM, timing=_M3),
        M4,
        Core("m7", "Cortex-M7", _arm("m7", "fpv5-sp-d16"), ARM, dsp=True, timing=_M7),
        Core("m33", "Cortex-M33", _arm("m33", "fpv5-sp-d16"), ARM, dsp=True, timing=_M33),
        M55,
        Core(
            "rv32imc",
            "RISC-V RV32IMC",
            # Debian's RISC-V compiler brings no C library; picolibc stands beside it.
            ("-march=rv32imc", "-mabi=ilp32", "--specs=picolibc.specs"),
            _RISC_V,
        ),
        Core("lx7", "Xtensa LX7 of the ESP32-S3", toolchain=_XTENSA),
        WASM,
        WASM_SIMD,
        AARCH64,
        X86_64,
    ),
    home=__name__,
)


def find_core(name: str) -> Core:
    """The core of that name.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: there is none; the hint lists them.
    """
    return CORES.find(name)


def core_here() -> Core:
    """This machine's own core, with vectors; portable C for a machine of another kind."""
    kinds = {"x86_64": "x86-64", "amd64": "x86-64", "aarch64": "aarch64", "arm64": "aarch64"}
    return CORES[kinds.get(platform.machine().lower(), HOST.name)]


def toolchains() -> tuple[Toolchain, ...]:
    """Of every core, each once."""
    return tuple(dict.fromkeys(core.toolchain for core in CORES.values() if core.toolchain))


def checked_cores() -> tuple[str, ...]:
    """Cores that sources are compiled for as a check: all but those whose compiler nobody packs."""
    return tuple(
        name for name, core in CORES.items() if core.toolchain is None or core.toolchain.packed
    )


def all_variants() -> set[str]:
    """Endings of kernel files that some core needs and others have no instructions for."""
    return {variant for core in CORES.values() for variant in core.variants if variant}
