"""`kd-edge board head`."""

from __future__ import annotations

from pathlib import Path

import click

from kd_edge.cli.options import common, path_option

EPILOG = """
\b
Examples:
  kd-edge board head --port /dev/ttyACM0                          whose last layer answers
  kd-edge board head set --bundle build/ann --port /dev/ttyACM0
  kd-edge board head set --bundle build/ann --keep --port /dev/ttyACM0
  kd-edge board head reset --port /dev/ttyACM0                    the built one answers again
  kd-edge board head keep --port /dev/ttyACM0                     also after the next start

The firmware must have been made with `kd-edge firmware --personal`. `set` runs the bundle's golden
windows through the board; where an answer differs, the layer before is put back (exit status 6).
"""


@click.command("head", epilog=EPILOG)
@click.argument("action", type=click.Choice(["tell", "set", "reset", "keep"]), default="tell")
@click.option("--port", required=True, help="The board's serial port or URL.")
@click.option("--baud", type=click.IntRange(min=1), help="Its speed; the usual ones are tried.")
@path_option("--bundle", help="With set: the wearer's bundle, as `kd-edge personalise` wrote it.")
@click.option("--keep", is_flag=True, help="With set and reset: also after the next start.")
@common
def head(
    action: str, port: str, baud: int | None, bundle: Path | None, keep: bool, as_json: bool
) -> None:
    """See whose last layer answers on a board; send it a wearer's, or bring the built one back."""
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.link.device import Device
    from kd_edge.pipeline.boards.head import set_head, wearers_head

    if (bundle is not None) != (action == "set"):
        raise click.UsageError("--bundle goes with set, and with nothing else")
    if keep and action not in ("set", "reset"):
        raise click.UsageError("--keep goes with set and reset")
    wearers = wearers_head(bundle) if bundle else None
    with TerminalWatch() as watch, Device.open(port, baud=baud) as device:
        if wearers is not None:
            state = set_head(device, wearers, lambda what: watch.step(what, None, None))
        else:
            state = getattr(device.head, action)()
        if keep:
            state = device.head.keep()
        board = device.hello.board
    tree = head_tree(state, board)
    if as_json:
        import json

        click.echo(json.dumps(tree, indent=1))
    else:
        say_head(tree)


def head_tree(state, board: str) -> dict[str, object]:
    """Which last layer answers, for JSON and for `say_head`."""
    return {
        "board": board,
        "last_layer": "wearer" if state.own else "built",
        "kept": state.kept,
        "bytes": state.head_bytes,
        "model_sha256": state.model_sha256,
        "built_sha256": state.built_sha256,
    }


def say_head(tree: dict[str, object]) -> None:
    """The same in words."""
    from kd_edge.cli.printing import printing, say

    whose = "a wearer's last layer" if tree["last_layer"] == "wearer" else "the built last layer"
    until = "also after its next start" if tree["kept"] else "until its next start"
    with printing():
        say(f"{tree['board']} answers by {whose}, {until}; model {tree['model_sha256'][:12]}…")
