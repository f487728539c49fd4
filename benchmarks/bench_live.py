"""From a sensor's sample to the answer on a page, measured from stamps in the stream.

    python benchmarks/bench_live.py BUNDLE --source file://REC.npz --seconds 60

The source replays a recording at true speed, so the moment of each sample is known on this
machine's clock. A page's events are read over HTTP as a browser reads them. What is printed comes
on top of the window's own length.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np

from kd_edge.live.feed import Feed
from kd_edge.live.loop import Limits, LiveLoop
from kd_edge.live.server import PageServer, live_page
from kd_edge.live.sources import open_source
from kd_edge.pipeline.live_student import load_student


class Stamps:
    """A view: when the last sample of each window was taken, by `time.monotonic`."""

    def __init__(self):
        self.taken_s: dict[int, float] = {}

    def samples(self, samples) -> None:
        pass

    def window(self, seen, figures) -> None:
        self.taken_s[seen.window] = time.monotonic() - seen.delay_ms / 1e3

    def end(self, summary) -> None:
        pass


def read_page(url: str, came_s: dict[int, float]) -> None:
    """When each window's event arrived, until the stream ends."""
    event = ""
    with urllib.request.urlopen(f"{url}events", timeout=60) as stream:
        for line in stream:
            text = line.decode().rstrip()
            if text.startswith("event: "):
                event = text.removeprefix("event: ")
            elif text.startswith("data: ") and event == "window":
                number = json.loads(text.removeprefix("data: "))["window"]["window"]
                came_s[number] = time.monotonic()
            elif text.startswith("data: ") and event == "end":
                return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--source", required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hop", type=float, default=0.1, help="seconds from window to window")
    asked = parser.parse_args()
    bundle = load_student(asked.bundle, hop_s=asked.hop)
    stamps, came_s = Stamps(), {}
    with open_source(asked.source) as source:
        student, facts = bundle.student(source, asked.source, in_order=False)
        feed = Feed(facts)
        server = PageServer(feed, live_page(facts))
        page = threading.Thread(target=read_page, args=(server.url, came_s))
        page.start()
        loop = LiveLoop(student, facts, views=[stamps, feed])
        summary = loop.run(Limits(seconds=asked.seconds))
        page.join()
        server.close()
    delays_ms = np.array(
        [1e3 * (came_s[n] - at) for n, at in stamps.taken_s.items() if n in came_s]
    )
    figures = summary.figures
    print(
        f"{len(delays_ms)} windows, hop {asked.hop:g} s; {sum(figures.lost_samples)} samples lost"
    )
    for share in (50, 95, 99):
        print(f"p{share}: {np.percentile(delays_ms, share):.1f} ms from sample to page")
    print(
        f"p95 without page: {figures.delay_ms:.1f} ms; an answer {figures.median_us / 1e3:.1f} ms"
    )


if __name__ == "__main__":
    main()
