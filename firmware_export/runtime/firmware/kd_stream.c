#include "kd_stream.h"

#include "kd_firmware_config.h"
#include "kd_front_end.h"
#include "kd_profile.h"
#include "kd_ring.h"
#include "kd_sensor.h"

#include <string.h>

/* What of one sensor has been dealt with, by sample number. The rings' numbers and those on the wire
 * are the lower 32 bits: these go on, so that they can be compared. */
typedef struct progress {
    uint64_t sent;  /* up to here it has been sent */
    uint64_t whole; /* from here on no sample is missing */
} progress;

static progress streams[KD_STREAM_COUNT];
static uint32_t window_number;
static uint64_t start_us;

bool kd_stream_start(void)
{
    memset(streams, 0, sizeof streams);
    window_number = 0;
    for (uint32_t s = 0; s < KD_STREAM_COUNT; s++) {
        kd_ring_start(&kd_rings[s]);
    }
    start_us = kd_profile_now_us();
    return kd_sensor_start() == 0;
}

void kd_stream_stop(void)
{
    kd_sensor_stop();
}

uint32_t kd_stream_lost(void)
{
    uint32_t lost = 0;
    for (uint32_t s = 0; s < KD_STREAM_COUNT; s++) {
        lost += kd_rings[s].lost;
    }
    return lost;
}

/// samples ///

static void read_sensor(uint32_t s)
{
    int16_t values[KD_SENSOR_VALUES];
    kd_ring *ring = &kd_rings[s];
    const uint32_t most = KD_SENSOR_VALUES / ring->channels;
    uint32_t n;
    do {
        uint32_t lost = 0;
        n = kd_sensor_read(s, values, most, &lost);
        n = n < most ? n : most;
        if (lost > 0u) {
            kd_ring_lose(ring, lost);
        }
        kd_ring_push(ring, values, n);
    } while (n > 0u && !ring->broken);
}

/* A ring's number in full: the one that is nearest to what has been sent. */
static uint64_t full(uint32_t s, uint32_t number)
{
    const uint64_t sent = streams[s].sent;
    return sent + (uint64_t)(int64_t)(int32_t)(number - (uint32_t)sent);
}

static uint64_t end_of(uint32_t s)
{
    return full(s, kd_rings[s].end);
}

/* Microseconds of the board's clock at a sample. */
static uint64_t stamp_us(uint32_t s, uint64_t number)
{
    const uint64_t period = kd_stream_plans[s].period_q20_us;
    return start_us + (number >> 20) * period + ((number & 0xFFFFFu) * period >> 20);
}

/* Sends samples below `end` that have not been sent, while there are at least `least`. */
static void send_samples(kd_link *link, uint32_t s, uint64_t end, uint32_t least)
{
    const uint32_t chunk = kd_stream_plans[s].chunk;
    progress *done = &streams[s];
    while (done->sent + least <= end) {
        const uint32_t first = (uint32_t)done->sent;
        uint32_t n;
        const int16_t *values = kd_ring_at(&kd_rings[s], first, &n);
        n = n < end - done->sent ? n : (uint32_t)(end - done->sent);
        n = n < chunk ? n : chunk;
        (void)kd_link_send_samples(link, (uint8_t)s, first, stamp_us(s, done->sent), values,
                                   (size_t)n * kd_rings[s].channels);
        done->sent += n;
    }
}

/* After a hole: once what came before it is sent, goes on behind it. */
static void close_hole(kd_link *link, uint32_t s)
{
    if (kd_rings[s].broken) {
        send_samples(link, s, end_of(s), 1);
        streams[s].whole = full(s, kd_ring_resume(&kd_rings[s]));
        streams[s].sent = streams[s].whole;
    }
}

/// windows ///

static uint64_t window_start(uint32_t s)
{
    return kd_stream_plans[s].hop_q24 * window_number >> 24;
}

/* Goes to the next window that holds no hole. */
static void skip_holes(void)
{
    for (uint32_t s = 0; s < KD_STREAM_COUNT; s++) {
        const uint64_t hop_q24 = kd_stream_plans[s].hop_q24;
        if (window_start(s) < streams[s].whole) {
            window_number = (uint32_t)(((streams[s].whole << 24) + hop_q24 - 1u) / hop_q24);
        }
    }
}

static bool complete(void)
{
    for (uint32_t s = 0; s < KD_STREAM_COUNT; s++) {
        /* Written as a sum: a window may start behind the last sample if hops are longer than it. */
        if (end_of(s) < window_start(s) + kd_streams[s].samples) {
            return false;
        }
    }
    return true;
}

/* Gives up what neither the next window nor the host needs. */
static void release(uint32_t s)
{
    const uint64_t start = window_start(s);
    kd_ring_release(&kd_rings[s], (uint32_t)(start < streams[s].sent ? start : streams[s].sent));
}

/* One sensor's part of the window; returns what follows it. */
static int16_t *copy_window(uint32_t s, int16_t *to)
{
    const kd_ring *ring = &kd_rings[s];
    uint32_t number = (uint32_t)window_start(s);
    uint32_t left = kd_streams[s].samples;
    while (left > 0u) {
        uint32_t n;
        const int16_t *values = kd_ring_at(ring, number, &n);
        n = n < left ? n : left;
        memcpy(to, values, (size_t)n * ring->channels * sizeof *to);
        to += (size_t)n * ring->channels;
        number += n;
        left -= n;
    }
    return to;
}

bool kd_stream_poll(kd_link *link, int16_t *window, uint32_t *number, uint32_t *ends)
{
    for (uint32_t s = 0; s < KD_STREAM_COUNT; s++) {
        read_sensor(s);
        send_samples(link, s, end_of(s), kd_stream_plans[s].chunk);
    }
    const bool found = complete();
    if (found) {
        for (uint32_t s = 0; s < KD_STREAM_COUNT; s++) {
            const uint64_t end = window_start(s) + kd_streams[s].samples;
            ends[s] = (uint32_t)end;
            send_samples(link, s, end, 1);
            window = copy_window(s, window);
        }
        *number = window_number++;
    }
    for (uint32_t s = 0; s < KD_STREAM_COUNT && !found; s++) {
        close_hole(link, s);
    }
    skip_holes();
    for (uint32_t s = 0; s < KD_STREAM_COUNT; s++) {
        release(s);
    }
    return found;
}
