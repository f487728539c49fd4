#include "kd_signal.h"

#include <stddef.h>

#include "kd_front_end.h"

#if KD_LOG_STREAMS > 0
#include "kd_log.h"
#endif

/* Each operation is rounded by itself, as in kd_edge/examples/single.py: no fused multiply-add. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

static float magnitude(float x)
{
    return x < 0.0f ? -x : x;
}

/// filter ///

static void run_biquad(const kd_biquad *biquad, float *state, float *x, uint32_t n)
{
    const float b0 = biquad->b0, b1 = biquad->b1, b2 = biquad->b2;
    const float a1 = biquad->a1, a2 = biquad->a2;
    float s0 = state[0], s1 = state[1];
    uint32_t i;
    for (i = 0; i < n; i++) {
        const float in = x[i];
        const float y = b0 * in + s0;
        s0 = b1 * in - a1 * y + s1;
        s1 = b2 * in - a2 * y;
        x[i] = y;
    }
    state[0] = s0;
    state[1] = s1;
}

/* memory: two a biquad. first: the sample that the channel began with. */
static void filter(const kd_cascade *cascade, float *memory, float first, float *x, uint32_t n)
{
    const float level = cascade->gain * first;
    uint32_t i;
    if (cascade->count == 0u) {
        return;
    }
    for (i = 0; i < n; i++) {
        x[i] -= first;
    }
    for (i = 0; i < cascade->count; i++) {
        run_biquad(&cascade->biquads[i], memory + 2u * i, x, n);
    }
    for (i = 0; i < n; i++) {
        x[i] += level;
    }
}

static void rectify(float *x, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        x[i] = magnitude(x[i]);
    }
}

/// resampling ///

/* How many values taps reach back to. */
static uint32_t past_of(const kd_stream *stream)
{
    return (stream->tap_count - 1u) / stream->up;
}

/* sum + taps[0] * newest[0] + taps[step] * newest[-1] + taps[2 * step] * newest[-2] …, `count` of
 * them. */
static float dot(const float *taps, int32_t step, const float *newest, uint32_t count, float sum)
{
    float other = 0.0f;
    for (; count >= 4u; count -= 4u) {
        sum += taps[0] * newest[0];
        other += taps[step] * newest[-1];
        sum += taps[2 * step] * newest[-2];
        other += taps[3 * step] * newest[-3];
        taps += 4 * step;
        newest -= 4;
    }
    for (; count > 0u; count--) {
        sum += *taps * *newest;
        taps += step;
        newest--;
    }
    return sum + other;
}

/* Every up-th tap from `phase` on, against the newest value, the one before it and so on. */
static float resampled(const kd_stream *stream, const float *newest, uint32_t phase)
{
    const uint32_t up = stream->up;
    const uint32_t rising = (stream->tap_count / 2u - phase) / up + 1u;
    const uint32_t next = phase + rising * up;
    const uint32_t falling = (stream->tap_count - next + up - 1u) / up;
    const float sum = dot(stream->taps + phase, (int32_t)up, newest, rising, 0.0f);
    return dot(stream->taps + (stream->tap_count - 1u - next), -(int32_t)up, newest - rising,
               falling, sum);
}

/* values: those that taps reach back to, oldest first, with room for n behind them. Writes what n
 * more make to x, which holds them; returns how many. */
static uint32_t resample(const kd_stream *stream, uint32_t *due, float *values, float *x, uint32_t n)
{
    const uint32_t up = stream->up, past = past_of(stream);
    uint32_t given = 0, i;
    for (i = 0; i < n; i++) {
        values[past + i] = x[i];
    }
    while (*due < n * up) {
        const uint32_t at = *due / up;
        x[given++] = resampled(stream, values + past + at, *due - at * up);
        *due += stream->down;
    }
    *due -= n * up;
    for (i = 0; i < past; i++) {
        values[i] = values[i + n];
    }
    return given;
}

/// one channel ///

void kd_signal_begin(kd_signal_state *state, float *memory, uint32_t due)
{
    state->memory = memory;
    state->first = 0.0f;
    state->envelope_first = 0.0f;
    state->due = due;
    state->begun = false;
}

/* The steady state of a first sample. */
static void start(const kd_stream *stream, kd_signal_state *state, float first)
{
    const uint32_t states = 2u * (stream->filter.count + stream->envelope.count);
    uint32_t i;
    state->first = first;
    state->envelope_first = magnitude(stream->filter.count > 0u ? stream->filter.gain * first : first);
    for (i = 0; i < states; i++) {
        state->memory[i] = 0.0f;
    }
}

uint32_t kd_signal_advance(const kd_stream *stream, kd_signal_state *state, float *x, uint32_t n)
{
    const bool begins = !state->begun;
    float *envelope = state->memory + 2u * stream->filter.count;
    float *values = envelope + 2u * stream->envelope.count;
    uint32_t i;

    if (n == 0u) {
        return 0;
    }
    if (begins) {
        start(stream, state, x[0]);
        state->begun = true;
    }
    filter(&stream->filter, state->memory, state->first, x, n);
    if (stream->rectify) {
        rectify(x, n);
        filter(&stream->envelope, envelope, state->envelope_first, x, n);
    }
    if (stream->tap_count == 0u) {
        return n;
    }
    if (begins) {
        for (i = 0; i < past_of(stream); i++) {
            values[i] = x[0];
        }
    }
    return resample(stream, &state->due, values, x, n);
}

void kd_signal_normalise(const kd_stream *stream, uint32_t channel, float *y, uint32_t n)
{
    const float lsb = stream->lsb, mean = stream->mean[channel], scale = stream->scale[channel];
    uint32_t i;

#if KD_LOG_STREAMS > 0
    if (stream->log_floor != NULL) {
        const float log_floor = stream->log_floor[channel];
        for (i = 0; i < n; i++) {
            const float value = y[i] * lsb;
            y[i] = (kd_log((value > 0.0f ? value : 0.0f) + log_floor) - mean) * scale;
        }
        return;
    }
#endif
    for (i = 0; i < n; i++) {
        y[i] = (y[i] * lsb - mean) * scale;
    }
}
