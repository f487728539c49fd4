#include "kd_signal.h"

#include <stddef.h>

#include "kd_front_end.h"
#include "kd_quantize.h"

#if KD_LOG_STREAMS > 0
#include "kd_log.h"
#endif

#define BLOCK KD_SIGNAL_BLOCK

/* Each operation is rounded by itself, as in kd_edge/examples/single.py: no fused multiply-add. */
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

static float sample_at(const source *from, uint32_t index)
{
    const size_t at = (size_t)index * from->stride;
#if KD_ROLL
    if (from->other != NULL) {
        return from->of_own * (float)from->own[at] + from->of_other * (float)from->other[at];
    }
#endif
    return (float)from->own[at];
}

/// filter ///

typedef struct started {
    const kd_cascade *cascade;
    float *state; /* two a biquad */
    float first;
} started;

static started start(const kd_cascade *cascade, float *state, float first)
{
    started filter;
    uint32_t i;
    filter.cascade = cascade;
    filter.state = state;
    filter.first = first;
    for (i = 0; i < 2u * cascade->count; i++) {
        state[i] = 0.0f;
    }
    return filter;
}

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

static void filter_block(const started *filter, float *x, uint32_t n)
{
    const float level = filter->cascade->gain * filter->first;
    uint32_t i;
    if (filter->cascade->count == 0u) {
        return;
    }
    for (i = 0; i < n; i++) {
        x[i] -= filter->first;
    }
    for (i = 0; i < filter->cascade->count; i++) {
        run_biquad(&filter->cascade->biquads[i], filter->state + 2u * i, x, n);
    }
    for (i = 0; i < n; i++) {
        x[i] += level;
    }
}

static void rectify(float *x, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        x[i] = x[i] < 0.0f ? -x[i] : x[i];
    }
}

/// output ///

/* Values on their way out, normalised a block at a time. */
typedef struct outgoing {
    const kd_signal_output *output;
    float lsb, mean, scale;
    float log_floor; /* 0: no logarithm */
    float *kept;     /* all of the window, where it is yet to be normalised; null: none */
    uint32_t done;   /* quantised or kept already */
    uint32_t n;      /* in `values` */
    float values[BLOCK];
} outgoing;

static void quantise(const kd_signal_output *output, uint32_t first, const float *values, uint32_t n)
{
    int8_t q[BLOCK];
    int8_t *to = output->out + (size_t)first * output->stride;
    uint32_t i;
    kd_quantize_input(values, n, output->scale, output->zero_point, q);
    for (i = 0; i < n; i++) {
        *to = q[i];
        to += output->stride;
    }
}

static void flush(outgoing *out)
{
    uint32_t i;
    for (i = 0; i < out->n; i++) {
        float y = out->values[i] * out->lsb;
#if KD_LOG_STREAMS > 0
        if (out->log_floor > 0.0f) {
            y = kd_log((y > 0.0f ? y : 0.0f) + out->log_floor);
        }
#endif
        out->values[i] = (y - out->mean) * out->scale;
    }
#if KD_WEARER_STATES > 0
    if (out->kept != NULL) {
        for (i = 0; i < out->n; i++) {
            out->kept[out->done + i] = out->values[i];
        }
    } else
#endif
    {
        quantise(out->output, out->done, out->values, out->n);
    }
    out->done += out->n;
    out->n = 0;
}

static void put(outgoing *out, float value)
{
    if (out->done + out->n < out->output->count) {
        out->values[out->n++] = value;
        if (out->n == BLOCK) {
            flush(out);
        }
    }
}

/// resampling ///

/* The values that taps reach back to, oldest first, and behind them the block that comes now. */
typedef struct resampler {
    const kd_stream *stream;
    float *values;
    uint32_t past; /* values before the block */
    uint32_t due;  /* `up` times the place of the next output, from the block's start */
} resampler;

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

/* Takes the n values that stand behind the past ones. */
static void resample(resampler *state, uint32_t n, outgoing *out)
{
    const uint32_t up = state->stream->up;
    uint32_t i;
    while (state->due < n * up) {
        const uint32_t at = state->due / up;
        put(out, resampled(state->stream, state->values + state->past + at, state->due - at * up));
        state->due += state->stream->down;
    }
    state->due -= n * up;
    for (i = 0; i < state->past; i++) {
        state->values[i] = state->values[i + n];
    }
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

/* Normalises the window that was kept, and quantises it. */
static void finish(const kd_running *running, const kd_signal_wearer *wearer, bool usable,
                   const outgoing *out)
{
    uint32_t first;
    if (usable && !wearer->frozen) {
        kd_running_move(running, wearer->state, out->kept, out->done);
    }
    kd_running_normalise(running, wearer->state, out->kept, out->done);
    for (first = 0; first < out->done; first += BLOCK) {
        const uint32_t left = out->done - first;
        quantise(out->output, first, out->kept + first, left < BLOCK ? left : BLOCK);
    }
}

#endif

/// one channel ///

void kd_signal_channel(const kd_stream *stream, uint32_t channel, const int16_t *window, float *work,
                       const kd_signal_wearer *wearer, const kd_signal_output *output)
{
    const source from = source_of(stream, channel, window, wearer);
    const float first = sample_at(&from, 0);
    const float after = stream->filter.count > 0u ? stream->filter.gain * first : first;
    const started filter = start(&stream->filter, work, first);
    const started envelope = start(&stream->envelope, work + 2u * stream->filter.count,
                                   after < 0.0f ? -after : after);
    resampler state;
    outgoing out;
    float *block;
    uint32_t left = stream->samples;
    uint32_t i;

    out.output = output;
    out.lsb = stream->lsb;
    out.mean = stream->mean[channel];
    out.scale = stream->scale[channel];
    out.log_floor = stream->log_floor != NULL ? stream->log_floor[channel] : 0.0f;
    out.done = 0;
    out.n = 0;
    state.stream = stream;
    state.values = work + 2u * (stream->filter.count + stream->envelope.count);
    state.past = stream->tap_count > 0u ? (stream->tap_count - 1u) / stream->up : 0u;
    state.due = 0;
    block = state.values + state.past;
    out.kept = stream->running != NULL ? block + BLOCK : NULL;
    while (left > 0u) {
        const uint32_t n = left < BLOCK ? left : BLOCK;
        for (i = 0; i < n; i++) {
            block[i] = sample_at(&from, stream->samples - left + i);
        }
        filter_block(&filter, block, n);
        if (stream->rectify) {
            rectify(block, n);
            filter_block(&envelope, block, n);
        }
        if (left == stream->samples) {
            for (i = 0; i < state.past; i++) {
                state.values[i] = block[0];
            }
        }
        if (stream->tap_count > 0u) {
            resample(&state, n, &out);
        } else {
            for (i = 0; i < n; i++) {
                put(&out, block[i]);
            }
        }
        left -= n;
    }
    flush(&out);
#if KD_WEARER_STATES > 0
    if (out.kept != NULL) {
        const bool usable = kd_signal_is_usable(stream, from.own) &&
                            (from.other == NULL || kd_signal_is_usable(stream, from.other));
        finish(stream->running, wearer, usable, &out);
    }
#endif
}
