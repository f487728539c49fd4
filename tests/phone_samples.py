"""A recogniser of made-up weights for phones, and Node to run it."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
from bundle_samples import sample_bundle
from programs import need
from project_samples import sample_front_end, sample_golden, sample_model
from waiting import BOUND_S

from firmware_export.phone.clang import find_clang
from firmware_export.phone.sources import PhoneSources, phone_sources
from firmware_export.project import ProjectFacts
from firmware_export.settings import FirmwareSettings, Golden
from kd_edge.base.decision import DecisionRule, Memory, decide
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import raw_samples
from kd_edge.base.product import Product, as_product
from kd_edge.cli import run
from kd_edge.live.host import Host

CLASSES = ("one", "two", "three", "four", "five")
# Of classes: characters that a language or a page may mind.
HOSTILE = ('a$b"\\${x}', "नमस्ते 👋", "\f", "</script>", "e")
HOP_S = 0.3
# Some windows of the sample model are rejected by it, and some are not.
RULE = DecisionRule(
    classes=5, scale=0.7, windows=3, enter=9000, leave=8000, least_share=20000, rest=4
)
_TEMPLATES = Path(__file__).parents[1] / "kd_edge" / "phone" / "templates"


def run_in(folder: Path, *command) -> str:
    """What a program writes in that folder; it must end well."""
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True,
        timeout=BOUND_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def need_clang() -> None:
    """Skip a test where nothing compiles for WebAssembly."""
    try:
        find_clang("wasm-ld")
    except KdEdgeError:
        need("clang", "wasm-ld")


def sample_page(folder: Path) -> tuple[Path, Path]:
    """A bundle of made-up weights, and its page; skips where nothing compiles for WebAssembly."""
    need_clang()
    bundle = sample_bundle(folder / "bundle")
    assert run(["phone", str(bundle), "--out", str(folder / "out"), "--hop", "0.2"]) == 0
    return bundle, folder / "out" / "index.html"


def sample_settings(**more) -> FirmwareSettings:
    given = {"front_end": sample_front_end(), "decision": RULE, "labels": CLASSES}
    return FirmwareSettings(
        name="two inputs", arena_bytes=0, arena_how="", golden=None,
        synthetic=True, generator="kd-edge 1.2.3", **(given | more),
    )  # fmt: skip


def sample_product(folder: Path) -> tuple[Product, Golden]:
    model = sample_model(folder)
    return as_product(model), sample_golden(model)


def sample_sources(product: Product, core: str = "wasm", **more) -> PhoneSources:
    settings = sample_settings(**more)
    hop_s = HOP_S if settings.front_end else None
    return phone_sources(product, core, settings, hop_s=hop_s)


def sample_facts(product: Product) -> ProjectFacts:
    return ProjectFacts(
        title="two inputs", model_sha256=product.sha256, synthetic=True,
        generator="kd-edge 1.2.3", engine="aot", sensors="none",
    )  # fmt: skip


def sample_streams() -> dict[str, np.ndarray]:
    """Two seconds of both sensors, (samples, channels) int16."""
    rng = np.random.default_rng(9)
    return {
        s.name: rng.integers(-3000, 3000, (n, len(s.channels))).astype(np.int16)
        for s, n in zip(sample_front_end().streams, (400, 80), strict=True)
    }


def sample_pieces() -> list[tuple[int, list[int]]]:
    """The same in the order of their coming, 50 ms each: the stream's number and its counts."""
    return [
        (number, values[t * n : t * n + n].reshape(-1).tolist())
        for t in range(40)
        for number, (values, n) in enumerate(zip(sample_streams().values(), (10, 2), strict=True))
    ]


def sample_answers(product: Product, host: Host | None = None) -> list[str]:
    """What each window of these streams leads to, by the host: one line a window."""
    host, memory, found = host or Host(product, sample_front_end()), Memory(RULE), []
    streams, lengths = sample_streams(), raw_samples(sample_front_end())
    for number in range(100):
        starts = {s.name: int(HOP_S * s.source_rate_hz * number) for s in host.front_end.streams}
        cut = {n: streams[n][at : at + lengths[n]] for n, at in starts.items()}
        if any(len(values) < lengths[n] for n, values in cut.items()):
            break
        scores = host.answer([cut[s.name] for s in host.front_end.streams])
        memory, told = decide(RULE, memory, scores)
        said, leading = (-1 if v == 0xFFFF else v for v in (told.said, told.leading))
        flags = (str(v).lower() for v in (told.onset, told.rejected))
        found.append(" ".join(map(str, (number, said, leading, told.confidence, *flags, *scores))))
    return found


def host_scores(product: Product, counts: dict[str, np.ndarray]) -> np.ndarray:
    """TFLite Micro's scores of one raw window, through the host's front end."""
    host = Host(product, sample_front_end())
    return host.answer([counts[stream.name] for stream in host.front_end.streams])


def in_node(script: str, *, parts: tuple[str, ...] = ("engine",), **values) -> object:
    """What a script returns, in Node, after the page's own `parts`; `values` are there by name."""
    need("node")
    own = "\n".join((_TEMPLATES / f"{part}.js.j2").read_text("utf-8") for part in parts)
    program = (
        f"{own}\nconst values = {json.dumps(values)};\n"
        f"(async () => {{ {script} }})().then((v) => console.log(JSON.stringify(v)));"
    )
    done = subprocess.run(
        ["node", "-"], input=program, capture_output=True, text=True, timeout=BOUND_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def node_package(name: str) -> Path | None:
    """The folder of a package of npm's, where `make` has installed it."""
    place = Path(__file__).parents[1] / ".node/node_modules" / name
    return place if place.exists() else None


@cache
def axe() -> str | None:
    """axe-core's program, where `make` has installed it; None elsewhere."""
    package = node_package("axe-core")
    return (package / "axe.min.js").read_text("utf-8") if package else None
