"""The page's sources. Real firmware streams into the page; only the browser's own port stands in.

Oracle: the board's raw windows, which its sensors play, and the samples that it counts.
"""

from __future__ import annotations

import base64
import contextlib

import numpy as np
import pytest
from chromium import find_chromium, open_page
from emulated import unhurried
from phone_samples import in_node, sample_page
from project_samples import sample_counts, sample_front_end
from waiting import BOUND_S

from firmware_export.boards import find_board
from firmware_export.boards.emulator import start
from firmware_export.firmware import build_firmware, firmware_sources
from firmware_export.sensors import StreamSettings
from firmware_export.settings import FirmwareSettings
from kd_edge.link.transport import SerialTransport

# The browser's ports, whose bytes this test carries.
_CARRY = """
const text = (bytes) => btoa(String.fromCharCode(...bytes));
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
"""
SERIAL = (
    _CARRY
    + """
Object.defineProperty(navigator, "serial", { value: { requestPort: async () => ({
  open: async () => null, close: async () => null,
  writable: new WritableStream({ write: (b) => toBoard(text(b)) }),
  readable: new ReadableStream({ start(c) { window.fromBoard = (t) => c.enqueue(bytes(t)); } }),
}) } });
"""
)
BLUETOOTH = (
    _CARRY
    + """
const device = new EventTarget(), from = new EventTarget();
let connected = false;
from.startNotifications = async () => null;
const to = { properties: { writeWithoutResponse: true }, async writeValueWithoutResponse(b) {
  if (b.length > 20) throw new Error("a piece is too large");
  if (connected) toBoard(text(b));
} };
window.fromBoard = (t) => {
  const all = bytes(t);
  for (let at = 0; connected && at < all.length; at += 20) {
    const event = new Event("characteristicvaluechanged"), piece = all.slice(at, at + 20);
    Object.defineProperty(event, "target", { value: { value: new DataView(piece.buffer) } });
    from.dispatchEvent(event);
  }
};
window.drop = () => {
  connected = false;
  device.dispatchEvent(new Event("gattserverdisconnected"));
};
device.gatt = { get connected() { return connected; }, disconnect() { connected = false; },
  async connect() {
    connected = true;
    const getCharacteristic = async (id) => (id[7] === "2" ? to : from);
    return { getPrimaryService: async () => ({ getCharacteristic }) };
  } };
Object.defineProperty(navigator, "bluetooth", { value: { requestDevice: async () => device } });
"""
)

# Of a page that has neither windows nor sensors.
NOTHING = {"streams": [], "motion": {"why": None, "streams": []}, "golden": {"inputs": ""}}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return sample_page(tmp_path_factory.mktemp("phone"))[1]


@pytest.fixture(scope="module")
def port(written, tmp_path_factory):
    """A board with the bundle's model, as a process of this machine: its port."""
    folder = tmp_path_factory.mktemp("board")
    board = find_board("host")
    settings = FirmwareSettings(
        name="two inputs", labels=(), arena_bytes=0, arena_how="", front_end=sample_front_end(),
        golden=None, synthetic=True, generator="kd-edge test",
    )  # fmt: skip
    (model,) = (written.parents[1] / "bundle").glob("*.int8.tflite")
    stream = unhurried(StreamSettings(hop_s=0.5), board)
    firmware = firmware_sources(model, board, settings, stream=stream, replay=sample_counts())
    image = build_firmware(firmware, board, folder / "image")
    with start(board, image.elf) as emulator:
        transport = SerialTransport(emulator.url)
        yield transport
        transport.close()


@contextlib.contextmanager
def opened(tmp_path, path, script):
    find_chromium()
    with open_page(tmp_path) as page:
        page.call("Runtime.addBinding", name="toBoard")
        page.before_pages(script)
        page.open(path.as_uri())
        page.wait_for("document.readyState === 'complete' && !!document.getElementById('go')")
        page.wait_for("document.getElementById('status').textContent === 'live'")
        yield page
        assert page.complaints == []


def choose(page, source):
    page.run("document.getElementById('go').click()")
    page.wait_for("document.getElementById('status').textContent === 'stopped'")
    page.run(f"document.getElementById('source').value = {source!r}")
    page.run("document.getElementById('source').dispatchEvent(new Event('change'))")
    page.run("document.getElementById('go').click()")


def carry(page, port, until):
    """Carries bytes between page and board until an expression of the page is true."""
    for _ in range(int(BOUND_S / 0.02)):
        while page.called:
            port.write(base64.b64decode(page.called.pop(0)))
        if data := port.read(0.02):
            page.run(f"window.fromBoard && fromBoard('{base64.b64encode(data).decode()}')")
        if page.run(until):
            return
    raise AssertionError(f"never: {until}; {page.text('notice')}; {page.text('status')}")


def test_a_board_on_a_cable_streams_into_the_page(written, port, tmp_path):
    with opened(tmp_path, written, SERIAL) as page:
        choose(page, "serial")
        carry(page, port, "document.getElementById('windows').textContent >= 6")
        carry(page, port, "document.getElementById('status').textContent === 'live'")
        assert page.text("lost") == "0"
        page.run("document.getElementById('go').click()")
        carry(page, port, "document.getElementById('status').textContent === 'stopped'")
        assert page.text("notice") == ""


def test_a_band_over_bluetooth_is_found_again_after_the_connection_is_lost(written, port, tmp_path):
    with opened(tmp_path, written, BLUETOOTH) as page:
        choose(page, "bluetooth")
        carry(page, port, "document.getElementById('windows').textContent >= 4")
        # Only then it listens for a lost connection: on a slow machine windows may come before.
        carry(page, port, "document.getElementById('status').textContent === 'live'")
        # At once: half a second later the page connects again, and may say something else.
        said = page.run("drop(); document.getElementById('notice').textContent")
        assert "connection is lost; trying again" in said
        carry(page, port, "document.getElementById('notice').textContent === 'Connected again.'")
        seen = int(page.text("windows"))
        carry(page, port, f"document.getElementById('windows').textContent >= {seen + 4}")
        assert page.text("lost") == "0"
        page.run("document.getElementById('go').click()")
        carry(page, port, "document.getElementById('status').textContent === 'stopped'")


def test_a_band_with_another_model_is_refused_in_words(written, port, tmp_path):
    text = written.read_text("utf-8")
    at = text.index('"model_sha256": "') + len('"model_sha256": "')
    (tmp_path / "other.html").write_text(f"{text[:at]}{'0' * 64}{text[at + 64 :]}")
    with opened(tmp_path, tmp_path / "other.html", SERIAL) as page:
        choose(page, "serial")
        carry(page, port, "!document.getElementById('notice').hidden")
        assert "the band carries another model" in page.text("notice")
        assert f"here {'0' * 12}" in page.text("notice")


def test_a_board_that_is_silent_is_named_as_such(written, tmp_path):
    with opened(tmp_path, written, SERIAL) as page:
        choose(page, "serial")
        page.wait_for("!document.getElementById('notice').hidden")
        assert "does not answer HELLO" in page.text("notice")


def test_motion_is_brought_to_the_models_rates_by_straight_lines():
    """Oracle: a ramp, whose value at any time is known; events come unevenly, with one hole."""
    times = np.cumsum(np.random.default_rng(2).uniform(10, 25, 120))
    times[60:] += 2000
    data = NOTHING | {
        "streams": [
            {"name": "acc", "rate_hz": 50.0, "lsb": 0.01, "channels": ["x", "y", "z"]},
            {"name": "gyr", "rate_hz": 25.0, "lsb": 0.5, "channels": ["x", "y", "z"]},
        ],
        "motion": {
            "why": None,
            "streams": [{"kind": "acc", "factor": 2.0}, {"kind": "gyr", "factor": 1.0}],
        },
    }
    found = in_node(
        """let heard = null;
        globalThis.DeviceMotionEvent = class {};
        globalThis.isSecureContext = true;
        globalThis.addEventListener = (kind, f) => { heard = f; };
        globalThis.removeEventListener = () => { heard = null; };
        const source = kdSources.all(values.data).find((each) => each.id === "motion");
        const out = [[], []];
        await source.open({
          samples(s, v) {
            for (let i = 0; i < v.length; i += 3) out[s].push(Array.from(v.slice(i, i + 3)));
          },
          lost: (s, n) => { for (let i = 0; i < n; i++) out[s].push(null); },
          ended: (why) => { throw new Error(why); } });
        for (const t of values.times) heard({ timeStamp: t,
          accelerationIncludingGravity: { x: t / 1000, y: 1, z: -1 },
          rotationRate: { alpha: t / 100, beta: 3, gamma: 4 } });
        await source.close();
        return [source.lacks(), heard, out];""",
        parts=("engine", "sources"),
        data=data,
        times=times.tolist(),
    )
    lacks, heard, (acc, gyr) = found
    assert (lacks, heard) == (None, None)
    for rows, rate_hz, slope, rest in (
        (acc, 50, 2 / 0.01 / 1000, [200, -200]),
        (gyr, 25, 1 / 0.5 / 100, None),
    ):
        due = (times[0] + 1000 * np.arange(len(rows)) / rate_hz) * slope
        column = 0 if rest else 2
        known = [i for i, row in enumerate(rows) if row]
        assert sum(row is None for row in rows) == pytest.approx(2 * rate_hz, abs=2)
        assert [rows[i][column] for i in known] == pytest.approx(due[known], abs=0.51)
        if rest:
            assert all(rows[i][1:] == rest for i in known)
    assert len(acc) == pytest.approx(2 * len(gyr), abs=1)


@pytest.mark.parametrize(
    ("missing", "said"),
    [("globalThis.DeviceMotionEvent = undefined;", "does not give motion sensors")]
    + [("globalThis.DeviceMotionEvent = class {};", "secure pages only")],
)
def test_motion_that_cannot_be_had_is_said_in_words(missing, said):
    found = in_node(
        f"""{missing}
        globalThis.isSecureContext = false;
        return kdSources.all(values.data).find((each) => each.id === "motion").lacks();""",
        parts=("engine", "sources"),
        data=NOTHING,
    )
    assert said in found
