/* Sensors that play windows that are compiled in (kd_replay.h), one after the other and again from
 * the first, at the streams' own rates by the board's clock. */
#include "kd_board.h"
#include "kd_replay.h"
#include "kd_sensor.h"

#include <string.h>

static uint64_t start_ticks;

static struct {
    uint32_t taken; /* samples since the start, modulo 2^32 */
    uint32_t at;    /* the next one's place in the windows */
} played[KD_REPLAY_STREAMS];

int kd_sensor_start(void)
{
    memset(played, 0, sizeof played);
    start_ticks = kd_board_ticks();
    return 0;
}

void kd_sensor_stop(void)
{
}

/* Samples that have come since the start, modulo 2^32. */
static uint32_t due(const kd_replay_stream *stream)
{
    const uint32_t hz = kd_board_tick_hz();
    const uint64_t ticks = kd_board_ticks() - start_ticks;
    const uint64_t millionths = ticks / hz * stream->rate_uhz + ticks % hz * stream->rate_uhz / hz;
    return (uint32_t)(millionths / 1000000u);
}

static void skip(uint32_t stream, uint32_t n)
{
    played[stream].taken += n;
    played[stream].at = (played[stream].at + n % kd_replay[stream].samples) %
                        kd_replay[stream].samples;
}

uint32_t kd_sensor_read(uint32_t stream, int16_t *samples, uint32_t max_samples, uint32_t *lost)
{
    const kd_replay_stream *replay = &kd_replay[stream];
    uint32_t waiting = due(replay) - played[stream].taken;
    /* As a sensor's own memory would: what finds no room is lost. */
    if (waiting > replay->fifo_samples) {
        *lost = waiting - replay->fifo_samples;
        skip(stream, *lost);
        waiting = replay->fifo_samples;
    }
    const uint32_t n = waiting < max_samples ? waiting : max_samples;
    for (uint32_t i = 0; i < n; i++) {
        const size_t at = (size_t)played[stream].at * replay->channels;
        memcpy(samples + (size_t)i * replay->channels, replay->values + at,
               replay->channels * sizeof *samples);
        skip(stream, 1);
    }
    return n;
}
