"""Sensors, rings and what lies between: in C on the host, under sanitizers."""

from __future__ import annotations

import numpy as np
import pytest
from firmware_samples import STRICT, run
from programs import need

from firmware_export.aot.cores import find_core
from firmware_export.firmware import RUNTIME

SANITIZED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.mark.gcc_arm
def test_the_worked_sensor_example_compiles_for_a_board(tmp_path):
    need("arm-none-eabi-gcc")
    folder = RUNTIME / "examples"
    for source in sorted(folder.glob("*.c")):
        run(
            "arm-none-eabi-gcc", "-std=c99", "-Os", *find_core("m4").flags, *STRICT,
            "-I", RUNTIME / "firmware", "-c", source, "-o", tmp_path / "example.o",
        )  # fmt: skip


def test_the_worked_sensor_example_gives_every_sample_or_says_what_is_lost(tmp_path):
    """A board in C behind it: counters for an ADC and an IMU. Oracle: the numbers themselves."""
    need("gcc")
    (tmp_path / "main.c").write_text(EXAMPLE_BOARD)
    run(
        "gcc", "-std=c99", *STRICT, *SANITIZED, "-I", RUNTIME / "firmware", tmp_path / "main.c",
        RUNTIME / "examples" / "kd_sensor_adc_imu.c", "-o", tmp_path / "example",
    )  # fmt: skip
    run(tmp_path / "example")


EXAMPLE_BOARD = r"""
#include <stdbool.h>
#include <stddef.h>
#include "kd_sensor.h"
/* An ADC whose sample n is n, n + 1, n + 2 above 2048, an IMU whose sample n is -n six times */
static volatile uint16_t *ring;
static uint32_t length, written, imu_made, imu_read, imu_dropped;
static bool imu_on;
bool board_adc_start(volatile uint16_t *values, uint32_t n);
void board_adc_stop(void);
uint32_t board_adc_written(void);
bool board_i2c_write(uint8_t device, uint8_t first, const uint8_t *bytes, size_t n);
bool board_i2c_read(uint8_t device, uint8_t first, uint8_t *bytes, size_t n);
bool board_adc_start(volatile uint16_t *values, uint32_t n)
{
    ring = values;
    length = n;
    written = 0;
    return true;
}
void board_adc_stop(void) { ring = NULL; }
uint32_t board_adc_written(void) { return written; }
bool board_i2c_write(uint8_t device, uint8_t first, const uint8_t *bytes, size_t n)
{
    imu_on = bytes[0] == 1u;
    return device == 0x68u && first == 0x10u && n == 1u;
}
bool board_i2c_read(uint8_t device, uint8_t first, uint8_t *bytes, size_t n)
{
    const uint32_t values[3] = { imu_made - imu_read, 0, imu_dropped };
    for (size_t i = 0; i < n; i++) {
        const uint32_t value = first == 0x22u ? 0u - imu_read : values[(first - 0x20u) / 2u];
        bytes[i] = (uint8_t)(value >> (i % 2u * 8u) & 0xFFu);
    }
    imu_read += first == 0x22u;
    imu_dropped = first == 0x24u ? 0u : imu_dropped;
    return device == 0x68u && imu_on;
}
static void sample_adc(uint32_t n)
{
    for (; n > 0u; n--) {
        for (uint32_t c = 0; c < 3u; c++, written++) {
            ring[written % length] = (uint16_t)(2048u + written / 3u + c);
        }
    }
}
int main(void)
{
    int16_t values[64 * 6];
    uint32_t expected = 0;
    if (kd_sensor_start() != 0) {
        return 1;
    }
    for (uint32_t turn = 0; turn < 40u; turn++) {
        uint32_t n, lost = 0;
        sample_adc(turn == 20u ? 700u : 7u * turn % 40u);
        while ((n = kd_sensor_read(0, values, 64, &lost)) > 0u) {
            if ((lost > 0u) != (turn == 20u && lost > 0u)) {
                return 2;
            }
            expected += lost;
            lost = 0;
            for (uint32_t i = 0; i < n; i++, expected++) {
                for (uint32_t c = 0; c < 3u; c++) {
                    if (values[3u * i + c] != (int16_t)(expected + c)) {
                        return 3;
                    }
                }
            }
        }
        if (expected != written / 3u) {
            return 4;
        }
    }
    imu_made = 100;
    imu_dropped = 5;
    for (uint32_t taken = 0; taken < 100u;) {
        uint32_t lost = 0;
        const uint32_t n = kd_sensor_read(1, values, 64, &lost);
        if (n == 0u || (lost == 5u) != (taken == 0u)) {
            return 5;
        }
        for (uint32_t i = 0; i < 6u * n; i++) {
            if (values[i] != -(int16_t)(taken + i / 6u)) {
                return 6;
            }
        }
        taken += n;
    }
    kd_sensor_stop();
    return 0;
}
"""


RING = r"""
#include <stdio.h>
#include "kd_ring.h"
/* lines of: s N (start at number N), p N (push N), r N (release below N), l N (lose N), c (resume),
 * g (go through all)
 * -> what a sample's values are: its number and its number times 3 */
int main(void)
{
    static int16_t values[7 * 2];
    static int16_t samples[64 * 2];
    kd_ring ring = { .values = values, .capacity = 7, .channels = 2 };
    char what;
    unsigned n;
    kd_ring_start(&ring);
    while (scanf(" %c %u", &what, &n) == 2) {
        if (what == 's') {
            ring.count = ring.end = ring.kept = n;
        } else if (what == 'p') {
            for (unsigned i = 0; i < n; i++) {
                samples[2 * i] = (int16_t)(ring.count + i);
                samples[2 * i + 1] = (int16_t)(3 * (ring.count + i));
            }
            kd_ring_push(&ring, samples, n);
        } else if (what == 'l') {
            kd_ring_lose(&ring, n);
        } else if (what == 'r') {
            kd_ring_release(&ring, n);
        } else if (what == 'c') {
            kd_ring_resume(&ring);
        }
        for (uint32_t at = ring.kept; at != ring.end;) {
            uint32_t some;
            const int16_t *first = kd_ring_at(&ring, at, &some);
            for (uint32_t i = 0; i < some; i++, at++) {
                if (first[2 * i] != (int16_t)at || first[2 * i + 1] != (int16_t)(3 * at)) {
                    return 1;
                }
            }
        }
        printf("%u %u %u %u %d\n", ring.kept, ring.end, ring.count, ring.lost, ring.broken);
    }
    return 0;
}
"""


@pytest.mark.parametrize("start", [0, 2**32 - 1000], ids=["from 0", "around 2^32"])
def test_a_ring_gives_back_what_was_put_in_or_says_what_is_lost(start, tmp_path):
    """Oracle: a list of numbers in Python, over 3,000 random steps; sanitizers.

    After 12 days at 4 kHz numbers start again at 0, and 2^32 is no multiple of the capacity.
    """
    need("gcc")
    (tmp_path / "ring.c").write_text(RING)
    folder = RUNTIME / "firmware"
    run(
        "gcc", "-std=c99", *STRICT, *SANITIZED,
        "-I", folder, tmp_path / "ring.c", folder / "kd_ring.c", "-o", tmp_path / "ring",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    kept = end = count = start
    lost = broken = 0
    lines, expected = [f"s {start}"], [f"{start} {start} {start} 0 0"]
    for _ in range(3000):
        what = rng.choice(list("pppprrlc"), p=[0.14, 0.14, 0.14, 0.13, 0.14, 0.13, 0.08, 0.1])
        n = int(rng.integers(0, 6))
        if what == "p":
            room = 0 if broken else 7 - (end - kept)
            broken |= n > room
            end, count = end + min(n, room), count + n
        elif what == "l":
            count, broken = count + n, 1
        elif what == "r":
            n = min(kept + n, end)
            kept = n
        elif broken:
            lost, kept, end, broken = lost + count - end, count, count, 0
        else:
            what, n = "p", 0
        lines.append(f"{what} {n % 2**32}")
        numbers = " ".join(str(number % 2**32) for number in (kept, end, count, lost))
        expected.append(f"{numbers} {int(broken)}")
    out = run(tmp_path / "ring", stdin="\n".join(lines).encode())
    assert out.decode().split("\n")[:-1] == expected


# What the generated sources state, for two sensors: windows of 50 and 9 samples, hops of 20 and 4.
STREAM_HEADERS = {
    "kd_firmware_config.h": """
#include "kd_front_end.h"
#include "kd_ring.h"
#define KD_STREAM_COUNT 2
#define KD_SENSOR_VALUES 32u
typedef struct kd_stream_plan {
    uint64_t hop_q24, period_q20_us;
    uint32_t chunk;
} kd_stream_plan;
extern const kd_stream_plan kd_stream_plans[KD_STREAM_COUNT];
extern kd_ring kd_rings[KD_STREAM_COUNT];
""",
    "kd_front_end.h": """
#pragma once
#include <stdint.h>
typedef struct kd_stream { uint32_t samples; uint32_t channel_count; } kd_stream;
extern const kd_stream kd_streams[2];
""",
}
STREAM_BOARD = r"""
#include "kd_stream.c"
#include <stdio.h>
#include <stdlib.h>
/* A stream that has run for long. Prints "s stream first n stamp first-value" for SAMPLES and
 * "w number end end first-value first-value" for windows. */
const kd_stream kd_streams[2] = { {50, 2}, {9, 1} };
const kd_stream_plan kd_stream_plans[2] = {
    { 20ull << 24, 250ull << 20, 16 }, { 4ull << 24, 1250ull << 20, 4 } };
static int16_t values_0[71 * 2], values_1[13];
kd_ring kd_rings[2] = { { .values = values_0, .capacity = 71, .channels = 2 },
                        { .values = values_1, .capacity = 13, .channels = 1 } };
static uint64_t made[2], given[2];
static unsigned turn;
int kd_sensor_start(void) { return 0; }
void kd_sensor_stop(void) { }
uint64_t kd_profile_now_us(void) { return 0; }
uint32_t kd_sensor_read(uint32_t s, int16_t *samples, uint32_t max_samples, uint32_t *lost)
{
    if (s == 0u && turn == 300u) { /* a hole of three samples */
        *lost = 3;
        given[0] += 3;
        turn++;
    }
    uint32_t n = 0;
    for (; n < max_samples && given[s] < made[s]; n++, given[s]++) {
        for (uint32_t c = 0; c < kd_rings[s].channels; c++) {
            *samples++ = (int16_t)(given[s] & 0x7FFF);
        }
    }
    return n;
}
kd_status kd_link_send_samples(kd_link *link, uint8_t s, uint32_t first, uint64_t stamp_us,
                               const int16_t *values, size_t n)
{
    (void)link;
    printf("s %u %u %u %llu %d\n", s, first, (unsigned)(n / kd_rings[s].channels),
           (unsigned long long)stamp_us, values[0]);
    return KD_STATUS_OK;
}
int main(int argc, char **argv)
{
    int16_t window[50 * 2 + 9];
    uint32_t number, ends[2];
    if (argc != 2 || !kd_stream_start()) {
        return 1;
    }
    window_number = (uint32_t)strtoul(argv[1], NULL, 10);
    for (uint32_t s = 0; s < 2u; s++) {
        const uint64_t at = window_start(s);
        streams[s].sent = streams[s].whole = made[s] = given[s] = at;
        kd_rings[s].count = kd_rings[s].end = kd_rings[s].kept = (uint32_t)at;
    }
    for (turn = 0; turn < 700u; turn++) {
        made[0] += 5;
        made[1] += 1;
        while (kd_stream_poll(NULL, window, &number, ends)) {
            printf("w %u %u %u %d %d\n", number, ends[0], ends[1], window[0], window[100]);
            for (int i = 1; i < 50; i++) {
                if (window[2 * i] != ((window[0] + i) & 0x7FFF)) {
                    return 2;
                }
            }
        }
    }
    return 0;
}
"""


@pytest.mark.parametrize("first_window", [0, 2**32 // 20 - 60, 2**31 // 20 - 60, 2**32 // 4 - 60])
def test_a_stream_goes_on_where_the_numbers_of_its_samples_start_again(first_window, tmp_path):
    """Samples 0 to 2^32 - 1 last 12 days at 4 kHz. Oracle: Python's numbers, which do not end."""
    need("gcc")
    for name, text in (STREAM_HEADERS | {"main.c": STREAM_BOARD}).items():
        (tmp_path / name).write_text(text)
    folder = RUNTIME / "firmware"
    run(
        "gcc", "-std=c99", *STRICT, *SANITIZED, "-I", tmp_path, "-I", folder, "-I",
        RUNTIME / "link", tmp_path / "main.c", folder / "kd_ring.c", "-o", tmp_path / "stream",
    )  # fmt: skip
    lines = run(tmp_path / "stream", str(first_window)).decode().splitlines()
    told = [line.split() for line in lines]
    sent = [[int(cell) for cell in row[1:]] for row in told if row[0] == "s"]
    windows = [[int(cell) for cell in row[1:]] for row in told if row[0] == "w"]
    for stream, (hop, period_us) in enumerate(((20, 250), (4, 1250))):
        expected, holes = hop * first_window, []
        for number, first, n, stamp_us, value in sent:
            if number != stream:
                continue
            if first != expected % 2**32:
                holes.append((first - expected) % 2**32)
                expected += holes[-1]
            assert (first, stamp_us) == (expected % 2**32, expected * period_us)
            assert value == expected & 0x7FFF
            expected += n
        # The three that the sensor lost, and what came before the ring took samples again.
        assert len(holes) == (stream == 0)
        assert all(3 <= hole <= 8 for hole in holes)
        assert expected > hop * first_window + 650
    numbers = [number for number, *_ in windows]
    skipped = set(range(first_window, numbers[-1] + 1)) - set(numbers)
    assert numbers == sorted(numbers)
    assert len(numbers) > 150
    # Lost samples stand in two or three windows of 50 samples, 20 apart.
    assert 2 <= len(skipped) <= 3
    for number, *ends, emg, acc in windows:
        assert ends == [(20 * number + 50) % 2**32, (4 * number + 9) % 2**32]
        assert (emg, acc) == (20 * number & 0x7FFF, 4 * number & 0x7FFF)
