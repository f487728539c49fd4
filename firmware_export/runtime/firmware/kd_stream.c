#include "kd_stream.h"

#include "kd_firmware_config.h"
#include "kd_front_end.h"
#include "kd_profile.h"
#include "kd_ring.h"
#include "kd_sensor.h"
#if KD_RUNS_ON
#include "kd_board.h"
#endif

#include <string.h>

/* What of one sensor has been dealt with, by sample number. The rings' numbers and those on the wire
 * are the lower 32 bits: these go on, so that they can be compared. */
typedef struct progress {
    uint64_t sent;  /* up to here it has been sent */
    uint64_t taken; /* up to here the front end has it, if filters run on */
    uint64_t whole; /* a window that starts here or later holds no lost sample: a sample's number, or
                     * a step's if filters run on */
} progress;

static progress streams[KD_STREAM_COUNT];
static uint32_t window_number;
static uint64_t start_us;
#if KD_RUNS_ON
static uint64_t front_end_ticks;
#endif

/* Nothing before sample `number` is known; it and those behind it make whole windows. */
static void begin_at(uint32_t s, uint64_t number)
{
    streams[s].sent = number;
    streams[s].taken = number;
#if KD_RUNS_ON
    streams[s].whole = kd_front_end_resume(s, number);
#else
    streams[s].whole = number;
#endif
}

bool kd_stream_start(void)
{
    window_number = 0;
    for (uint32_t s = 0; s < KD_STREAM_COUNT; s++) {
        kd_ring_start(&kd_rings[s]);
        begin_at(s, 0);
    }
#if KD_RUNS_ON
    front_end_ticks = 0;
#endif
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
        begin_at(s, full(s, kd_ring_resume(&kd_rings[s])));
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

#if KD_RUNS_ON

/* The number of the sample after the window's last one. */
static uint64_t window_end(uint32_t s)
{
    const uint64_t last = window_start(s) + kd_stream_plans[s].steps - 1u;
    return last * kd_streams[s].down / kd_streams[s].up + 1u;
}

/* How many of the samples that have come the front end takes now: a block, or the window's last. */
static uint32_t due_samples(uint32_t s, uint64_t window)
{
    const uint64_t taken = streams[s].taken;
    const uint64_t end = end_of(s) < window ? end_of(s) : window;
    if (end >= taken + KD_SIGNAL_BLOCK) {
        return KD_SIGNAL_BLOCK;
    }
    return end == window && taken < end ? (uint32_t)(end - taken) : 0u;
}

static void take_samples(uint32_t s)
{
    const uint64_t window = window_end(s);
    uint32_t due = due_samples(s, window);
    while (due > 0u) {
        uint32_t n;
        const uint64_t start = kd_board_ticks();
        const int16_t *values = kd_ring_at(&kd_rings[s], (uint32_t)streams[s].taken, &n);
        n = n < due ? n : due;
        kd_front_end_take(s, values, n);
        streams[s].taken += n;
        front_end_ticks += kd_profile_since(start);
        due = due_samples(s, window);
    }
}

/* Of a window's samples, those up to which it is ready. */
static uint64_t ready(uint32_t s)
{
    return streams[s].taken;
}

static uint64_t first_needed(uint32_t s)
{
    return streams[s].taken;
}

uint64_t kd_stream_front_end_ticks(void)
{
    const uint64_t ticks = front_end_ticks;
    front_end_ticks = 0;
    return ticks;
}

#else

static uint64_t window_end(uint32_t s)
{
    return window_start(s) + kd_streams[s].samples;
}

static uint64_t ready(uint32_t s)
{
    return end_of(s);
}

static uint64_t first_needed(uint32_t s)
{
    return window_start(s);
}

#endif

static bool complete(void)
{
    for (uint32_t s = 0; s < KD_STREAM_COUNT; s++) {
        if (ready(s) < window_end(s)) {
            return false;
        }
    }
    return true;
}

/* Gives up what neither the next window nor the host needs. */
static void release(uint32_t s)
{
    const uint64_t needed = first_needed(s);
    kd_ring_release(&kd_rings[s], (uint32_t)(needed < streams[s].sent ? needed : streams[s].sent));
}

#if !KD_RUNS_ON
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
#endif

bool kd_stream_poll(kd_link *link, int16_t *window, uint32_t *number, uint32_t *ends)
{
#if KD_RUNS_ON
    (void)window;
#endif
    for (uint32_t s = 0; s < KD_STREAM_COUNT; s++) {
        read_sensor(s);
        send_samples(link, s, end_of(s), kd_stream_plans[s].chunk);
#if KD_RUNS_ON
        take_samples(s);
#endif
    }
    const bool found = complete();
    if (found) {
        for (uint32_t s = 0; s < KD_STREAM_COUNT; s++) {
            const uint64_t end = window_end(s);
            ends[s] = (uint32_t)end;
            send_samples(link, s, end, 1);
#if !KD_RUNS_ON
            window = copy_window(s, window);
#endif
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
