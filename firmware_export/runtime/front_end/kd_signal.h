/* One stream's front end: from 16-bit samples at the sensor's rate to the model's int8 values.
 *
 * A window is filtered from rest: as if its first sample had stood there for ever. Nothing is
 * carried from window to window, so the same samples always give the same values, and a lost sample
 * spoils the windows that hold it and no other. In IEEE 754 float32, in one order of operations on
 * every core: bit for bit what kd_edge/examples/single.py computes, and within one int8 step of what
 * the model was trained on, which is float64. Never compile it with -ffast-math. */
#ifndef KD_SIGNAL_H
#define KD_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "kd_roll.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y = b0 x + s0; s0 = b1 x - a1 y + s1; s1 = b2 x - a2 y (direct form II transposed). */
typedef struct kd_biquad {
    float b0, b1, b2, a1, a2;
} kd_biquad;

/* Biquads one after the other. gain: of all together for a constant input. What is filtered is the
 * difference to the first sample, from zero states, and gain times the first sample is added: the
 * same as starting from the steady state of the first sample, without losing digits to an offset. */
typedef struct kd_cascade {
    const kd_biquad *biquads; /* null where count is 0 */
    uint32_t count;
    float gain;
} kd_cascade;

/* One modality's front end, in order: `filter`; where `rectify`, absolute value and `envelope`;
 * where tap_count is not 0, resampling:
 *     y[m] = sum over k of taps[k] * x[(m * down - k) / up], for the k that divide without rest,
 *     x before the first sample being the first sample;
 * units: y * lsb; where log_floor is not null, the logarithm: ln(max(y, 0) + log_floor); the
 * normaliser: (y - mean) * scale; last, where `running` is not null, the wearer's own. */
typedef struct kd_stream {
    float lsb;            /* units a count of the sensor's 16-bit samples */
    uint32_t samples;     /* of a raw window, each of channel_count values */
    uint32_t channel_count;
    kd_cascade filter;
    uint32_t rectify;
    kd_cascade envelope;
    uint32_t up;          /* at most down */
    uint32_t down;
    uint32_t tap_count;   /* odd, or 0 */
    const float *taps;    /* the first half and the middle, for the rest mirrors them; null: none */
    const float *mean;    /* one a channel */
    const float *scale;   /* one a channel */
    const float *log_floor; /* one a channel, each above 0; null: no logarithm */
    const kd_running *running; /* null: none */
    /* Before all else, the roll taken back: two channels turned as one vector, unless they are the
     * same; the others taken from other places of a ring. */
    uint32_t first_axis, second_axis;
    const kd_turn *ring; /* directions of the places, one a channel; null: no ring */
    int32_t ring_sense;  /* 1: numbered from the first axis towards the second; -1: against that */
} kd_stream;

/* Where a channel's values go: out[0], out[stride], …, in all `count` of them, quantised by
 * kd_quantize_input with scale and zero_point. */
typedef struct kd_signal_output {
    int8_t *out;
    uint32_t stride;
    uint32_t count;
    float scale;
    int32_t zero_point;
} kd_signal_output;

/* Samples that go through each step together. */
#define KD_SIGNAL_BLOCK 32u

/* Floats of work that kd_signal_channel needs for a stream, where taps is at least 1.
 * kept: output->count where the stream has a running normaliser, else 0. */
#define KD_SIGNAL_WORK_FLOATS(biquads, envelope_biquads, taps, up, kept) \
    (2u * ((biquads) + (envelope_biquads)) + ((taps) - 1u) / (up) + KD_SIGNAL_BLOCK + (kept))

/* What is known of a channel's wearer. */
typedef struct kd_signal_wearer {
    kd_running_state *state; /* null where the stream has no running normaliser */
    bool frozen;             /* the state stays as it is */
    kd_turn turn;            /* of the band, where the front end takes back its roll */
} kd_signal_wearer;

/* Whether a channel's window tells something of its wearer: it neither clips nor is flat.
 * sample: the channel's first. Never fails. Stack: 20 bytes. */
bool kd_signal_is_usable(const kd_stream *stream, const int16_t *sample);

/* Computes one channel of a window, from rest. It moves the wearer's state, unless that is frozen
 * or the channel clips (a count at an end of the 16-bit range) or is flat (one count throughout).
 * channel: below channel_count. window: stream->samples times channel_count values, the channels of
 * a sample side by side. work: KD_SIGNAL_WORK_FLOATS of the stream; nothing in it is kept.
 * output->count: at most stream->samples * up / down, rounded up.
 * Never fails. Stack: 420 bytes. */
void kd_signal_channel(const kd_stream *stream, uint32_t channel, const int16_t *window, float *work,
                       const kd_signal_wearer *wearer, const kd_signal_output *output);

#ifdef __cplusplus
}
#endif

#endif /* KD_SIGNAL_H */
