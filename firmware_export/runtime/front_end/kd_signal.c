#include "kd_signal.h"

#include <stddef.h>

#include "kd_quantize.h"

/// filter ///

typedef struct running {
    const kd_cascade *cascade;
    float *state; /* two a biquad */
    float first;
} running;

static running start(const kd_cascade *cascade, float *state, float first)
{
    running filter;
    uint32_t i;
    filter.cascade = cascade;
    filter.state = state;
    filter.first = first;
    for (i = 0; i < 2u * cascade->count; i++) {
        state[i] = 0.0f;
    }
    return filter;
}

static float filtered(const running *filter, float x)
{
    const kd_cascade *cascade = filter->cascade;
    float *state = filter->state;
    uint32_t i;
    if (cascade->count == 0u) {
        return x;
    }
    x -= filter->first;
    for (i = 0; i < cascade->count; i++) {
        const kd_biquad *biquad = &cascade->biquads[i];
        const float y = biquad->b0 * x + state[0];
        state[0] = biquad->b1 * x - biquad->a1 * y + state[1];
        state[1] = biquad->b2 * x - biquad->a2 * y;
        state += 2;
        x = y;
    }
    return x + cascade->gain * filter->first;
}

/// resampling ///

/* The last `size` values that went in; the newest stands at `newest`. */
typedef struct history {
    float *values;
    uint32_t size;
    uint32_t newest;
} history;

static void remember(history *past, float x)
{
    past->newest = past->newest + 1u == past->size ? 0u : past->newest + 1u;
    past->values[past->newest] = x;
}

/* Every up-th tap from `phase` on, against the newest value, the one before it and so on. */
static float resampled(const kd_stream *stream, const history *past, uint32_t phase)
{
    uint32_t at = past->newest;
    float sum = 0.0f;
    uint32_t tap;
    for (tap = phase; tap < stream->tap_count; tap += stream->up) {
        sum += stream->taps[tap] * past->values[at];
        at = at == 0u ? past->size - 1u : at - 1u;
    }
    return sum;
}

/// one channel ///

static void put(const kd_stream *stream, uint32_t channel, const kd_signal_output *output,
                uint32_t position, float y)
{
    const float value = (y * stream->lsb - stream->mean[channel]) * stream->scale[channel];
    kd_quantize_input(&value, 1, output->scale, output->zero_point,
                      output->out + (size_t)position * output->stride);
}

void kd_signal_channel(const kd_stream *stream, uint32_t channel, const int16_t *window, float *work,
                       const kd_signal_output *output)
{
    const int16_t *sample = window + channel;
    const float first = (float)*sample;
    const float first_out = stream->filter.count ? stream->filter.gain * first : first;
    const running filter = start(&stream->filter, work, first);
    const running envelope = start(&stream->envelope, work + 2u * stream->filter.count,
                                   first_out < 0.0f ? -first_out : first_out);
    history past;
    uint32_t due = 0; /* up times the input that the next output falls on */
    uint32_t now = 0; /* up times this input */
    uint32_t i = 0;

    past.values = work + 2u * (stream->filter.count + stream->envelope.count);
    past.size = (stream->tap_count + stream->up - 1u) / stream->up;
    past.newest = 0;
    for (; i < output->count; now += stream->up, sample += stream->channel_count) {
        float x = filtered(&filter, (float)*sample);
        if (stream->rectify) {
            x = filtered(&envelope, x < 0.0f ? -x : x);
        }
        if (stream->tap_count == 0u) {
            put(stream, channel, output, i++, x);
            continue;
        }
        if (now == 0u) {
            uint32_t k;
            for (k = 0; k < past.size; k++) {
                past.values[k] = x;
            }
        }
        remember(&past, x);
        /* An output falls between this input and the next one, or on this one. */
        if (due < now + stream->up) {
            put(stream, channel, output, i++, resampled(stream, &past, due - now));
            due += stream->down;
        }
    }
}
