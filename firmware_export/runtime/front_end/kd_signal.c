#include "kd_signal.h"

#include "kd_signal_arithmetic.h"
#include "kd_front_end.h"

/* Adds the level of a cascade's first sample. */
static void lift(kd_lanes level, kd_lanes *x, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        x[i] += level;
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
static const kd_coefficient *taps_from(const kd_stream *stream, uint32_t r)
{
    const uint32_t half = stream->tap_count / 2u;
    const uint32_t longer = half % stream->up + 1u; /* rows that have one more */
    return stream->taps + r * (half / stream->up) + (r < longer ? r : longer);
}

/* Whether every up-th tap from `phase` on is the same from either end; of all phases if up is 1 or 2. */
static bool folds(const kd_stream *stream, uint32_t phase)
{
    return (stream->tap_count - 1u - phase) % stream->up == phase;
}

/* Two outputs that are `apart` inputs apart, of taps that fold, or one: every up-th tap from `phase`
 * on, against the newest value, the one before it and so on. */
static void resampled(const kd_stream *stream, const kd_lanes *newest, uint32_t phase, uint32_t apart,
                      kd_lanes *sums)
{
    const uint32_t up = stream->up;
    const kd_coefficient *taps = taps_from(stream, phase);
    if (folds(stream, phase)) {
        kd_resampled_twice(taps, newest, apart, (stream->tap_count - 1u - phase) / up + 1u, sums);
    } else {
        const uint32_t rising = (stream->tap_count / 2u - phase) / up + 1u;
        const uint32_t next = stream->tap_count - 1u - (phase + rising * up); /* in the mirror */
        const kd_coefficient *back = taps_from(stream, next % up) + next / up;
        sums[0] = kd_resampled(taps, rising, back, next / up + 1u, newest);
    }
}

/* values: those that taps reach back to, oldest first, with room for n behind them. Writes what n
 * more make to x, which holds them; returns how many. */
static uint32_t resample(const kd_stream *stream, uint32_t *due, kd_lanes *values, kd_lanes *x,
                         uint32_t n)
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
        kd_lanes sums[2];
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
        const kd_lanes *from = values + i + n;
        const kd_lanes a = from[0], b = from[1], c = from[2], d = from[3];
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

/// the features that go together ///

void kd_signal_begin(const kd_stream *stream, uint32_t feature, kd_signal_state *state, kd_lanes *memory,
                     uint32_t due)
{
    state->filter = stream->filters + feature / stream->channel_count;
    state->memory = memory;
    state->due = due;
    state->begun = false;
}

/* The steady state of a first sample. */
static void start(const kd_stream *stream, kd_signal_state *state, kd_lanes first)
{
    const uint32_t values = KD_BIQUAD_VALUES * (state->filter->count + stream->envelope.count);
    const bool filters = state->filter->count > 0u;
    const kd_lanes zero = {0};
    uint32_t i;
    state->first = first;
    state->level = filters ? kd_gained(state->filter, first) : zero;
    state->envelope_first = filters ? state->level : first;
    kd_rectify(zero, &state->envelope_first, 1);
    state->envelope_level = kd_gained(&stream->envelope, state->envelope_first);
    for (i = 0; i < values; i++) {
        state->memory[i] = zero;
    }
}

uint32_t kd_signal_advance(const kd_stream *stream, kd_signal_state *state, kd_lanes *x, uint32_t n)
{
    const bool begins = !state->begun;
    kd_lanes *envelope = state->memory + KD_BIQUAD_VALUES * state->filter->count;

    if (n == 0u) {
        return 0;
    }
    if (begins) {
        start(stream, state, x[0]);
        state->begun = true;
    }
    kd_filter(state->filter, state->memory, state->first, x, n);
    if (stream->rectify) {
        kd_rectify(state->level, x, n);
        kd_filter(&stream->envelope, envelope, state->envelope_first, x, n);
        lift(state->envelope_level, x, n);
    } else if (state->filter->count > 0u) {
        lift(state->level, x, n);
    }
#if KD_RESAMPLED_STREAMS > 0
    if (stream->tap_count > 0u) {
        kd_lanes *values = envelope + KD_BIQUAD_VALUES * stream->envelope.count;
        uint32_t i;
        for (i = 0; begins && i < past_of(stream); i++) {
            values[i] = x[0];
        }
        return resample(stream, &state->due, values, x, n);
    }
#endif
    return n;
}
