#include "kd_signal_window.h"

#include <stddef.h>

#include "kd_front_end.h"

#define BLOCK KD_SIGNAL_BLOCK

/* Each operation is rounded by itself, as in kd_edge/base/roll.py: no fused multiply-add. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

/// where samples come from ///

/* One channel's samples, or where axes are turned, what two channels make of it. */
typedef struct source {
    const int16_t *own;
    const int16_t *other; /* null: none */
    float of_own, of_other;
    uint32_t stride;
} source;

static source source_of(const kd_stream *stream, uint32_t channel, const int16_t *window,
                        const kd_signal_wearer *wearer)
{
    source from = {window + channel, NULL, 1.0f, 0.0f, stream->channel_count};
#if KD_ROLL
    if (stream->ring != NULL) {
        const uint32_t size = stream->channel_count;
        const uint32_t places = kd_roll_places(wearer->turn, stream->ring, size);
        from.own = window + (channel + (stream->ring_sense > 0 ? places : size - places)) % size;
    } else if (stream->first_axis != stream->second_axis) {
        if (channel == stream->first_axis) {
            from.other = window + stream->second_axis;
            from.of_other = wearer->turn.sine;
        } else if (channel == stream->second_axis) {
            from.other = window + stream->first_axis;
            from.of_other = -wearer->turn.sine;
        }
        from.of_own = wearer->turn.cosine;
    }
#else
    (void)wearer;
#endif
    return from;
}

static kd_value sample_at(const source *from, uint32_t index)
{
    const size_t at = (size_t)index * from->stride;
#if KD_ROLL
    if (from->other != NULL) {
        return from->of_own * (float)from->own[at] + from->of_other * (float)from->other[at];
    }
#endif
    return KD_VALUE(from->own[at]);
}

/// the wearer ///

#if KD_WEARER_STATES > 0

bool kd_signal_is_usable(const kd_stream *stream, const int16_t *sample)
{
    const int16_t first = *sample;
    bool flat = true;
    uint32_t i;
    for (i = 0; i < stream->samples; i++) {
        if (*sample == INT16_MAX || *sample == INT16_MIN) {
            return false;
        }
        flat = flat && *sample == first;
        sample += stream->channel_count;
    }
    return !flat;
}

static bool is_usable(const kd_stream *stream, const source *from)
{
    return kd_signal_is_usable(stream, from->own) &&
           (from->other == NULL || kd_signal_is_usable(stream, from->other));
}

#endif

/// output ///

static void quantise(const kd_signal_output *output, uint32_t lane, uint32_t first,
                     const kd_value *values, uint32_t n)
{
    int8_t q[BLOCK];
    int8_t *to = output->out + lane + (size_t)first * output->stride;
    uint32_t i;
    kd_signal_narrow(output->narrowing, values, n, q);
    for (i = 0; i < n; i++) {
        *to = q[i];
        to += output->stride;
    }
}

/// features that go together ///

/* The next n samples of each source, side by side. A group that is not full repeats its last source. */
static void load(const source *from, uint32_t count, uint32_t first, kd_lanes *block, uint32_t n)
{
    uint32_t lane, i;
    for (lane = 0; lane < KD_LANES; lane++) {
        const source *own = from + (lane < count ? lane : count - 1u);
        for (i = 0; i < n; i++) {
            KD_LANE(block[i], lane) = sample_at(own, first + i);
        }
    }
}

#if KD_WEARER_STATES > 0
static void wear(const kd_stream *stream, const source *from, const kd_signal_wearer *wearer,
                 kd_running_state *state, kd_value *z, uint32_t n)
{
    if (!wearer->frozen && is_usable(stream, from)) {
        kd_running_move(stream->running, state, z, n);
    }
    kd_running_normalise(stream->running, state, z, n);
}
#endif

uint32_t kd_signal_window(const kd_stream *stream, uint32_t feature, const int16_t *window,
                          kd_lanes *work, const kd_signal_wearer *wearer,
                          const kd_signal_output *output)
{
    const uint32_t channel = feature % stream->channel_count;
    const uint32_t count = kd_signal_together(stream, feature);
    const uint32_t keeps = stream->running != NULL ? output->count : 0u;
    kd_lanes *block = work;
    /* All of the window, one feature after the other, where it is yet to be normalised. */
    kd_value *kept = (kd_value *)(work + BLOCK);
    kd_value row[KD_LANES_ROW];
    source from[KD_LANES];
    kd_signal_state state;
    uint32_t taken, done = 0, lane, i;

    for (lane = 0; lane < count; lane++) {
        from[lane] = source_of(stream, channel + lane, window, wearer);
    }
    kd_signal_begin(stream, feature, &state, work + BLOCK + keeps, 0);
    for (taken = 0; taken < stream->samples; taken += BLOCK) {
        const uint32_t left = stream->samples - taken;
        const uint32_t n = left < BLOCK ? left : BLOCK;
        uint32_t given;
        load(from, count, taken, block, n);
        given = kd_signal_advance(stream, &state, block, n);
        given = given < output->count - done ? given : output->count - done;
        for (lane = 0; lane < count; lane++) {
            kd_value *y = kd_lanes_row(block, lane, given, row);
            kd_signal_normalise(stream, feature + lane, y, given);
            if (keeps == 0u) {
                quantise(output, lane, done, y, given);
                continue;
            }
            for (i = 0; i < given; i++) {
                kept[lane * keeps + done + i] = y[i];
            }
        }
        done += given;
    }
#if KD_WEARER_STATES > 0
    for (lane = 0; lane < (keeps > 0u ? count : 0u); lane++) {
        kd_value *z = kept + lane * keeps;
        wear(stream, &from[lane], wearer, wearer->state + lane, z, done);
        for (taken = 0; taken < done; taken += BLOCK) {
            const uint32_t left = done - taken;
            quantise(output, lane, taken, z + taken, left < BLOCK ? left : BLOCK);
        }
    }
#endif
    return count;
}
