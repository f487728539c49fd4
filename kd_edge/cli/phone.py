"""`kd-edge phone`."""

from __future__ import annotations

from pathlib import Path

import click

from kd_edge.cli.options import PATH, FiniteFloat, common, path_option
from kd_edge.cli.printing import say

EPILOG = """
\b
Examples:
  kd-edge phone build/isl --out phone              phone/index.html: send it to a phone, open it
  kd-edge phone build/isl --out phone --hop 0.25   a new answer every quarter of a second
  kd-edge phone build/isl --out android --kind android   a Kotlin library with a sample app
  kd-edge phone build/isl --out ios --kind swift         a Swift package with a sample view

The page needs no network. It tests itself with the golden vectors before it shows anything.
docs/phone.md says what browsers can do, and what was run where.
"""

PAGE = "html"
# Kinds of projects -> what nobody has seen of them.
NOTES = {
    "android": "we have never built this project with Gradle, nor run it on a phone",
    "swift": "we have never built this package with Xcode, nor run it on a phone",
}


@click.command("phone", epilog=EPILOG)
@click.argument("bundle", type=PATH)
@path_option("--out", required=True, help="Folder to write; made where it is absent.")
@click.option(
    "--kind",
    type=click.Choice((PAGE, *NOTES)),
    default=PAGE,
    help="A page (default), a Kotlin library with a sample app for Gradle, or a Swift package.",
)
@click.option(
    "--hop",
    "hop_s",
    type=FiniteFloat(min=0, min_open=True),
    help="Seconds from window to window of a stream; default: a quarter of a window.",
)
@common
def phone(bundle: Path, out: Path, kind: str, hop_s: float | None, as_json: bool) -> None:
    """Write BUNDLE's product as one page that recognises signs on a phone, without a network."""
    from kd_edge.cli.printing import printing
    from kd_edge.pipeline.boards.phone import export_app, export_page

    if kind != PAGE:
        app = export_app(bundle, out, kind, hop_s=hop_s)
        with printing():
            _tell_app(out, kind, app, as_json=as_json)
        return
    exported = export_page(bundle, out, hop_s=hop_s)
    with printing():
        if as_json:
            click.echo(_to_json(exported))
            return
        say(f"{exported.path}: {exported.n_bytes:,} bytes, one file that needs no network")
        for module in exported.modules:
            sections = ", ".join(f"{name} {size:,}" for name, size in module.sections.items())
            say(f"{module.core}: {len(module.content):,} bytes of WebAssembly ({sections})")
        for note in exported.notes:
            say(f"note: {note}")
        say("next: send it to a phone and open it in the browser; docs/phone.md says more")


def _tell_app(out: Path, kind: str, app, *, as_json: bool) -> None:
    import json

    if as_json:
        content = {
            "folder": str(out),
            "model_sha256": app.model_sha256,
            "libraries": [{"abi": abi, "bytes": size} for abi, size in app.libraries.items()],
            "files": app.written.files,
            "removed": app.written.removed,
        }
        click.echo(json.dumps(content, indent=1, ensure_ascii=False))
        return
    say(f"{kind} project: {len(app.written.files)} files in {out}")
    for abi, size in app.libraries.items():
        say(f"libkd.so for {abi}: {size:,} bytes")
    say(f"note: {NOTES[kind]}")
    say(f"next: {out / 'README.md'}")


def _to_json(exported) -> str:
    import json

    content = {
        "page": str(exported.path),
        "bytes": exported.n_bytes,
        "model_sha256": exported.model_sha256,
        "modules": [
            {"core": each.core, "bytes": len(each.content), "sections": each.sections}
            for each in exported.modules
        ],
        "notes": exported.notes,
    }
    return json.dumps(content, indent=1, ensure_ascii=False)
