#include "kd_front_end_stream.h"

#include <stddef.h>
#include <string.h>

#include "kd_settings.h"
#if KD_WEARER_STATES > 0
#include "kd_wearer.h"
#endif

#ifndef KD_LSB_UNKNOWN

#define BLOCK KD_SIGNAL_BLOCK

/* Of features that go together the first has what is kept. */
static kd_signal_state features[KD_STREAM_FEATURES];
static kd_lanes memory[KD_MEMORY_VALUES];

/* The last steps, quantised: of each input a ring of its size, row after row. */
static int8_t steps[KD_STEP_BYTES];
/* The row of the next step, for each stream of each input. */
static uint32_t rows[KD_ROW_COUNT];

#if KD_WEARER_STATES > 0
/* What of a channel's last samples tells whether they may teach its wearer: how many are alike, and
 * how many came since one clipped. Both end at a window's length. */
static struct {
    int16_t last;
    uint32_t alike, unclipped;
} seen[KD_STREAM_CHANNELS];
/* The last steps of streams with a running normaliser, feature after feature of each input: they
 * are not quantised before the window. */
static kd_value kept[KD_KEPT_VALUES];
static kd_value work[KD_LONGEST_KEPT];
#endif

/// places ///

/* A stream's first feature among those of all. */
static uint32_t first_feature(uint32_t stream)
{
    uint32_t first = 0, i;
    for (i = 0; i < stream; i++) {
        first += kd_streams[i].feature_count;
    }
    return first;
}

#if KD_WEARER_STATES > 0
static uint32_t first_channel(uint32_t stream)
{
    uint32_t first = 0, i;
    for (i = 0; i < stream; i++) {
        first += kd_streams[i].channel_count;
    }
    return first;
}
#endif

/* A stream in an input: where its steps go. */
typedef struct seat {
    uint32_t input, row; /* row: index into rows */
    uint32_t column;
    int8_t *ring;
    uint32_t kept; /* index of its first value */
    const kd_narrowing *narrowing;
} seat;

static seat first_seat(void)
{
    const seat at = {0, 0, 0, steps, 0, kd_input_layouts[0].narrowings};
    return at;
}

static const kd_stream *stream_at(const seat *at, uint32_t position)
{
    return &kd_streams[kd_input_layouts[at->input].streams[position]];
}

/* Moves on by the stream at a position. */
static void next_seat(seat *at, uint32_t position)
{
    const kd_stream *stream = stream_at(at, position);
    if (stream->running != NULL) {
        at->kept += stream->feature_count * kd_input_layouts[at->input].samples;
    }
    at->column += stream->feature_count;
    at->narrowing++;
    at->row++;
}

static void next_input(seat *at)
{
    at->ring += kd_inputs[at->input].size;
    at->column = 0;
    at->input++;
    at->narrowing = at->input < KD_INPUT_COUNT ? kd_input_layouts[at->input].narrowings : NULL;
}

/// samples to steps ///

/* The n steps of a feature, in place of a row each. */
static void put(const seat *at, uint32_t feature, bool keeps, const kd_value *y, uint32_t n)
{
    const kd_input_layout *layout = &kd_input_layouts[at->input];
    uint32_t row = rows[at->row], i;
    int8_t q[BLOCK];
    if (!keeps) {
        kd_signal_narrow(at->narrowing, y, n, q);
    }
    for (i = 0; i < n;) {
        /* As far as the ring's end. */
        const uint32_t until = n - i < layout->samples - row ? n : i + layout->samples - row;
#if KD_WEARER_STATES > 0
        if (keeps) {
            kd_value *to = kept + at->kept + feature * layout->samples + row;
            row += until - i;
            for (; i < until; i++) {
                *to++ = y[i];
            }
        } else
#endif
        {
            int8_t *to = at->ring + (size_t)row * layout->channel_count + at->column + feature;
            row += until - i;
            for (; i < until; i++) {
                *to = q[i];
                to += layout->channel_count;
            }
        }
        row = row == layout->samples ? 0u : row;
    }
}

#if KD_WEARER_STATES > 0
static void watch(const kd_stream *of, uint32_t channel, const int16_t *sample, uint32_t n)
{
    uint32_t alike = seen[channel].alike, unclipped = seen[channel].unclipped, i;
    int16_t last = seen[channel].last;
    for (i = 0; i < n; i++) {
        const bool clips = *sample == INT16_MAX || *sample == INT16_MIN;
        alike = *sample != last ? 1u : alike < of->samples ? alike + 1u : alike;
        unclipped = clips ? 0u : unclipped < of->samples ? unclipped + 1u : unclipped;
        last = *sample;
        sample += of->channel_count;
    }
    seen[channel].alike = alike;
    seen[channel].unclipped = unclipped;
    seen[channel].last = last;
}
#endif

/* The steps of one feature go wherever its stream does. */
static void put_everywhere(uint32_t stream, uint32_t feature, const kd_value *y, uint32_t n)
{
    seat at = first_seat();
    uint32_t position;
    while (at.input < KD_INPUT_COUNT) {
        const kd_input_layout *layout = &kd_input_layouts[at.input];
        for (position = 0; position < layout->stream_count; position++) {
            if (layout->streams[position] == stream) {
                put(&at, feature, kd_streams[stream].running != NULL, y, n);
            }
            next_seat(&at, position);
        }
        next_input(&at);
    }
}

/* Takes n samples, at most a block, for a feature and the `count` - 1 behind it, which go together.
 * Returns how many steps they lead to. */
static uint32_t take_features(uint32_t stream, uint32_t feature, uint32_t count, const int16_t *samples,
                              uint32_t n)
{
    const kd_stream *of = &kd_streams[stream];
    const uint32_t channel = feature % of->channel_count;
    kd_lanes block[BLOCK];
    kd_value row[KD_LANES_ROW];
    uint32_t given, lane, i;

    for (lane = 0; lane < KD_LANES; lane++) {
        const uint32_t own = channel + (lane < count ? lane : count - 1u);
        const int16_t *from = samples + own;
#if KD_WEARER_STATES > 0
        if (of->running != NULL && feature == channel && lane < count) {
            watch(of, first_channel(stream) + own, from, n);
        }
#endif
        for (i = 0; i < n; i++) {
            KD_LANE(block[i], lane) = KD_VALUE(*from);
            from += of->channel_count;
        }
    }
    given = kd_signal_advance(of, &features[first_feature(stream) + feature], block, n);
    for (lane = 0; lane < count; lane++) {
        kd_value *y = kd_lanes_row(block, lane, given, row);
        kd_signal_normalise(of, feature + lane, y, given);
        put_everywhere(stream, feature + lane, y, given);
    }
    return given;
}

/* Sets the rows that a stream's next step goes to, `forward` rows behind those of now. */
static void move_rows(uint32_t stream, uint64_t forward, bool from_zero)
{
    uint32_t row = 0, input, position;
    for (input = 0; input < KD_INPUT_COUNT; input++) {
        const kd_input_layout *layout = &kd_input_layouts[input];
        for (position = 0; position < layout->stream_count; position++, row++) {
            if (layout->streams[position] == stream) {
                const uint64_t now = from_zero ? 0u : rows[row];
                rows[row] = (uint32_t)((now + forward) % layout->samples);
            }
        }
    }
}

void kd_front_end_take(uint32_t stream, const int16_t *samples, uint32_t n)
{
    const uint32_t width = kd_streams[stream].channel_count;
    while (n > 0u) {
        const uint32_t taken = n < BLOCK ? n : BLOCK;
        uint32_t given = 0, feature, count;
        for (feature = 0; feature < kd_streams[stream].feature_count; feature += count) {
            count = kd_signal_together(&kd_streams[stream], feature);
            given = take_features(stream, feature, count, samples, taken);
        }
        move_rows(stream, given, false);
        samples += (size_t)taken * width;
        n -= taken;
    }
}

/* Values that features of a stream need that go together. */
static uint32_t memory_values(const kd_stream *stream)
{
    const uint32_t filters = stream->feature_count / stream->channel_count;
    return KD_SIGNAL_MEMORY_VALUES(stream->filters[filters - 1u].count, stream->envelope.count,
                                   stream->tap_count, stream->up);
}

uint64_t kd_front_end_resume(uint32_t stream, uint64_t number)
{
    const kd_stream *of = &kd_streams[stream];
    const uint64_t step = (number * of->up + of->down - 1u) / of->down;
    const uint32_t due = (uint32_t)(step * of->down - number * of->up);
    const uint32_t first = first_feature(stream);
    kd_lanes *own = memory;
    uint32_t i, before;
    for (before = 0; before < stream; before++) {
        const kd_stream *other = &kd_streams[before];
        for (i = 0; i < other->feature_count; i += kd_signal_together(other, i)) {
            own += memory_values(other);
        }
    }
    for (i = 0; i < of->feature_count; i += kd_signal_together(of, i)) {
        kd_signal_begin(of, i, &features[first + i], own, due);
        own += memory_values(of);
    }
#if KD_WEARER_STATES > 0
    for (i = first_channel(stream); i < first_channel(stream) + of->channel_count; i++) {
        seen[i].alike = 0;
        seen[i].unclipped = of->samples;
    }
#endif
    move_rows(stream, step, true);
    return step;
}

/// steps to a window ///

#if KD_WEARER_STATES > 0
/* A feature of a stream with a running normaliser. state: the wearer's. out: its first value. */
static void wear(const seat *at, uint32_t stream, uint32_t feature, kd_running_state *state,
                 int8_t *out)
{
    const kd_input_layout *layout = &kd_input_layouts[at->input];
    const kd_stream *of = &kd_streams[stream];
    const uint32_t n = layout->samples, index = first_channel(stream) + feature % of->channel_count;
    const bool usable = seen[index].alike < of->samples && seen[index].unclipped == of->samples;
    const kd_value *from = kept + at->kept + feature * n;
    uint32_t row = rows[at->row], i;
    int8_t q[BLOCK];
    for (i = 0; i < n; i++) {
        work[i] = from[row];
        row = row + 1u == n ? 0u : row + 1u;
    }
    if (usable && !kd_front_end_is_frozen()) {
        kd_running_move(of->running, state, work, n);
    }
    kd_running_normalise(of->running, state, work, n);
    for (i = 0; i < n; i++) {
        if (i % BLOCK == 0u) {
            const uint32_t left = n - i;
            kd_signal_narrow(at->narrowing, work + i, left < BLOCK ? left : BLOCK, q);
        }
        *out = q[i % BLOCK];
        out += layout->channel_count;
    }
}

/* All features of the stream at a position, if it has a running normaliser. */
static void wear_stream(const seat *at, uint32_t position, kd_running_state *states, int8_t *input)
{
    const uint32_t stream = kd_input_layouts[at->input].streams[position];
    uint32_t feature;
    for (feature = 0; kd_streams[stream].running != NULL && feature < kd_streams[stream].feature_count;
         feature++) {
        wear(at, stream, feature, states + at->column + feature, input + at->column + feature);
    }
}
#endif

void kd_front_end_window(int8_t *const *inputs)
{
    seat at = first_seat();
#if KD_WEARER_STATES > 0
    kd_running_state *states = kd_wearer_states();
#endif
    while (at.input < KD_INPUT_COUNT) {
        const kd_input_layout *layout = &kd_input_layouts[at.input];
        int8_t *to = inputs[at.input];
        const size_t size = kd_inputs[at.input].size;
        const size_t oldest = (size_t)rows[at.row] * layout->channel_count;
        uint32_t position;
        memcpy(to, at.ring + oldest, size - oldest);
        memcpy(to + (size - oldest), at.ring, oldest);
        for (position = 0; position < layout->stream_count; position++) {
#if KD_WEARER_STATES > 0
            wear_stream(&at, position, states, to);
#endif
            next_seat(&at, position);
        }
#if KD_WEARER_STATES > 0
        states += layout->channel_count;
#endif
        next_input(&at);
    }
}

void kd_front_end_run(const int16_t *raw, int8_t *const *inputs)
{
    uint32_t stream;
    for (stream = 0; stream < KD_STREAM_COUNT; stream++) {
        (void)kd_front_end_resume(stream, 0);
        kd_front_end_take(stream, raw, kd_streams[stream].samples);
        raw += (size_t)kd_streams[stream].samples * kd_streams[stream].channel_count;
    }
    kd_front_end_window(inputs);
}

#endif /* KD_LSB_UNKNOWN */
