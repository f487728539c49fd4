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
#if defined(__GNUC__)
    return __builtin_fabsf(x); /* an instruction, and no library */
#else
    return x < 0.0f ? -x : x;
#endif
}

/// filter ///

/* memory: two a biquad. offset: taken from each sample first. */
static void run_one(const kd_biquad *biquad, float *memory, float offset, float *x, uint32_t n)
{
    const kd_biquad p = *biquad;
    float s0 = memory[0], s1 = memory[1];
    uint32_t i;
    for (i = 0; i < n; i++) {
        const float in = x[i] - offset;
        const float y = p.b0 * in + s0;
        s0 = p.b1 * in - p.a1 * y + s1;
        s1 = p.b2 * in - p.a2 * y;
        x[i] = y;
    }
    memory[0] = s0;
    memory[1] = s1;
}

/* Two at once: what lies between them stays in a register. */
static void run_two(const kd_biquad *biquads, float *memory, float offset, float *x, uint32_t n)
{
    const kd_biquad p = biquads[0], q = biquads[1];
    float s0 = memory[0], s1 = memory[1], t0 = memory[2], t1 = memory[3];
    uint32_t i;
    for (i = 0; i < n; i++) {
        const float in = x[i] - offset;
        const float between = p.b0 * in + s0;
        const float y = q.b0 * between + t0;
        s0 = p.b1 * in - p.a1 * between + s1;
        s1 = p.b2 * in - p.a2 * between;
        t0 = q.b1 * between - q.a1 * y + t1;
        t1 = q.b2 * between - q.a2 * y;
        x[i] = y;
    }
    memory[0] = s0;
    memory[1] = s1;
    memory[2] = t0;
    memory[3] = t1;
}

/* first: the sample that the channel began with. */
static void filter(const kd_cascade *cascade, float *memory, float first, float *x, uint32_t n)
{
    const kd_biquad *biquads = cascade->biquads;
    float offset = first;
    uint32_t left = cascade->count;
    for (; left >= 2u; left -= 2u) {
        run_two(biquads, memory, offset, x, n);
        biquads += 2;
        memory += 4;
        offset = 0.0f;
    }
    if (left > 0u) {
        run_one(biquads, memory, offset, x, n);
    }
}

/* Adds the level of a cascade's first sample. */
static void lift(float level, float *x, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        x[i] += level;
    }
}

static void lift_and_rectify(float level, float *x, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        x[i] = magnitude(x[i] + level);
    }
}

/// resampling ///

#if KD_RESAMPLED_STREAMS > 0

/* How many values taps reach back to. */
static uint32_t past_of(const kd_stream *stream)
{
    return (stream->tap_count - 1u) / stream->up;
}

/* Where the taps r, r + up, r + 2 * up, … begin in stream->taps. */
static const float *taps_from(const kd_stream *stream, uint32_t r)
{
    const uint32_t half = stream->tap_count / 2u;
    const uint32_t longer = half % stream->up + 1u; /* rows that have one more */
    return stream->taps + r * (half / stream->up) + (r < longer ? r : longer);
}

/* *sum += taps[0] * newest[0] + taps[step] * newest[-1] + taps[2 * step] * newest[-2] …, `count` of
 * them, every second one summed apart. */
static void dot(const float *taps, int32_t step, const float *newest, uint32_t count, float *sum)
{
    float even = *sum, odd = 0.0f;
    for (; count >= 4u; count -= 4u) {
        even += taps[0] * newest[0];
        odd += taps[step] * newest[-1];
        even += taps[2 * step] * newest[-2];
        odd += taps[3 * step] * newest[-3];
        taps += 4 * step;
        newest -= 4;
    }
    for (; count > 0u; count--) {
        even += *taps * *newest;
        taps += step;
        newest--;
    }
    *sum = even + odd;
}

/* Two outputs, the later one `apart` inputs behind, of taps that are the same from either end: values
 * that share a tap are added first, and a tap is read once for both outputs. count: of all taps. */
static void fold_two(const float *taps, const float *newest, uint32_t apart, uint32_t count,
                     float *sums)
{
    const float *oldest = newest - (count - 1u);
    const float *newest_b = newest + apart, *oldest_b = oldest + apart;
    float even = 0.0f, odd = 0.0f, even_b = 0.0f, odd_b = 0.0f;
    uint32_t left = count / 2u;
    for (; left >= 4u; left -= 4u) {
        even += taps[0] * (newest[0] + oldest[0]);
        even_b += taps[0] * (newest_b[0] + oldest_b[0]);
        odd += taps[1] * (newest[-1] + oldest[1]);
        odd_b += taps[1] * (newest_b[-1] + oldest_b[1]);
        even += taps[2] * (newest[-2] + oldest[2]);
        even_b += taps[2] * (newest_b[-2] + oldest_b[2]);
        odd += taps[3] * (newest[-3] + oldest[3]);
        odd_b += taps[3] * (newest_b[-3] + oldest_b[3]);
        taps += 4;
        newest -= 4;
        newest_b -= 4;
        oldest += 4;
        oldest_b += 4;
    }
    for (; left > 0u; left--) {
        even += *taps * (*newest-- + *oldest++);
        even_b += *taps++ * (*newest_b-- + *oldest_b++);
    }
    if (count % 2u == 1u) {
        even += *taps * *newest;
        even_b += *taps * *newest_b;
    }
    sums[0] = even + odd;
    sums[1] = even_b + odd_b;
}

/* Whether every up-th tap from `phase` on is the same from either end; of all phases if up is 1 or 2. */
static bool folds(const kd_stream *stream, uint32_t phase)
{
    return (stream->tap_count - 1u - phase) % stream->up == phase;
}

/* Two outputs that are `apart` inputs apart, of taps that fold, or one: every up-th tap from `phase`
 * on, against the newest value, the one before it and so on. */
static void resampled(const kd_stream *stream, const float *newest, uint32_t phase, uint32_t apart,
                      float *sums)
{
    const uint32_t up = stream->up;
    const float *taps = taps_from(stream, phase);
    if (folds(stream, phase)) {
        fold_two(taps, newest, apart, (stream->tap_count - 1u - phase) / up + 1u, sums);
    } else {
        const uint32_t rising = (stream->tap_count / 2u - phase) / up + 1u;
        const uint32_t next = stream->tap_count - 1u - (phase + rising * up); /* in the mirror */
        const float *back = taps_from(stream, next % up) + next / up;
        sums[0] = 0.0f;
        dot(taps, 1, newest, rising, sums);
        dot(back, -1, newest - rising, next / up + 1u, sums);
    }
}

/* values: those that taps reach back to, oldest first, with room for n behind them. Writes what n
 * more make to x, which holds them; returns how many. */
static uint32_t resample(const kd_stream *stream, uint32_t *due, float *values, float *x, uint32_t n)
{
    const uint32_t up = stream->up, down = stream->down, past = past_of(stream);
    const uint32_t end = n * up;
    const uint32_t count = *due < end ? (end - 1u - *due) / down + 1u : 0u;
    uint32_t i;
    for (i = 0; i < n; i++) {
        values[past + i] = x[i];
    }
    for (i = 0; i < count; i++) {
        /* Outputs `up` apart have the same taps: the first of each two takes the other along. */
        const uint32_t at = (*due + i * down) / up, phase = *due + i * down - at * up;
        const bool taken = i / up % 2u == 1u && folds(stream, phase);
        const bool with = i + up < count && folds(stream, phase);
        float sums[2];
        if (!taken) {
            resampled(stream, values + past + at, phase, with ? down : 0u, sums);
            x[i] = sums[0];
            if (with) {
                x[i + up] = sums[1];
            }
        }
    }
    *due += count * down - end;
    for (i = 0; i + 4u <= past; i += 4u) {
        const float *from = values + i + n;
        const float a = from[0], b = from[1], c = from[2], d = from[3];
        values[i] = a;
        values[i + 1u] = b;
        values[i + 2u] = c;
        values[i + 3u] = d;
    }
    for (; i < past; i++) {
        values[i] = values[i + n];
    }
    return count;
}

#endif

/// one channel ///

void kd_signal_begin(kd_signal_state *state, float *memory, uint32_t due)
{
    state->memory = memory;
    state->due = due;
    state->begun = false;
}

/* The steady state of a first sample. */
static void start(const kd_stream *stream, kd_signal_state *state, float first)
{
    const uint32_t floats = 2u * (stream->filter.count + stream->envelope.count);
    const bool filters = stream->filter.count > 0u;
    uint32_t i;
    state->first = first;
    state->level = filters ? stream->filter.gain * first : 0.0f;
    state->envelope_first = magnitude(filters ? state->level : first);
    state->envelope_level = stream->envelope.gain * state->envelope_first;
    for (i = 0; i < floats; i++) {
        state->memory[i] = 0.0f;
    }
}

uint32_t kd_signal_advance(const kd_stream *stream, kd_signal_state *state, float *x, uint32_t n)
{
    const bool begins = !state->begun;
    float *envelope = state->memory + 2u * stream->filter.count;

    if (n == 0u) {
        return 0;
    }
    if (begins) {
        start(stream, state, x[0]);
        state->begun = true;
    }
    filter(&stream->filter, state->memory, state->first, x, n);
    if (stream->rectify) {
        lift_and_rectify(state->level, x, n);
        filter(&stream->envelope, envelope, state->envelope_first, x, n);
        lift(state->envelope_level, x, n);
    } else if (stream->filter.count > 0u) {
        lift(state->level, x, n);
    }
#if KD_RESAMPLED_STREAMS > 0
    if (stream->tap_count > 0u) {
        float *values = envelope + 2u * stream->envelope.count;
        uint32_t i;
        for (i = 0; begins && i < past_of(stream); i++) {
            values[i] = x[0];
        }
        return resample(stream, &state->due, values, x, n);
    }
#endif
    return n;
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
