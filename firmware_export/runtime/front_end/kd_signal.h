/* One stream's front end, from sample to sample: filter, envelope, resampling and normaliser.
 *
 * A channel begins from rest: as if its first sample had stood there for ever. What it remembers of
 * its samples stands in a kd_signal_state, however many samples come at once. In IEEE 754 float32, in
 * one order of operations on every core, or in integers (KD_FIXED): bit for bit what
 * kd_edge/examples/single.py computes, and within one int8 step of what the model was trained on, which
 * is float64. Never compile it with -ffast-math. */
#ifndef KD_SIGNAL_H
#define KD_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "kd_roll.h"
#include "kd_signal_lanes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y = b0 x + s0; s0 = b1 x - a1 y + s1; s1 = b2 x - a2 y (direct form II transposed). */
typedef struct kd_biquad {
    kd_coefficient b0, b1, b2, a1, a2;
} kd_biquad;

/* Biquads one after the other. gain: of all together for a constant input. What is filtered is the
 * difference to the first sample, from zero states, and gain times the first sample is added: the
 * same as starting from the steady state of the first sample, without losing digits to an offset.
 * With integers the result has as many bits behind its point as leave room for the largest; `gain`
 * takes that into account. */
typedef struct kd_cascade {
    const kd_biquad *biquads; /* null where count is 0 */
    uint32_t count;
    kd_coefficient gain;
} kd_cascade;

/* One modality's front end, in order: a filter; where `rectify`, absolute value and `envelope`;
 * where tap_count is not 0, resampling:
 *     y[m] = sum over k of taps[k] * x[(m * down - k) / up], for the k that divide without rest,
 *     x before the first sample being the first sample;
 * units: y * lsb; where log_floor is not null, the logarithm: ln(max(y, 0) + log_floor); the
 * normaliser: (y - mean) * scale; last, where `running` is not null, the wearer's own.
 * Integers have units within log_floor and scale, and mean is subtracted last.
 * What comes out are features: those of all channels by the first filter, then by the second, which
 * also takes the difference from sample to sample, and so on. */
typedef struct kd_stream {
#if !KD_FIXED
    float lsb;            /* units a count of the sensor's 16-bit samples */
#endif
    uint32_t samples;     /* of a raw window, each of channel_count values */
    uint32_t channel_count;
    uint32_t feature_count;    /* channel_count for each filter */
    const kd_cascade *filters; /* the last has as many biquads as any */
    uint32_t rectify;
    kd_cascade envelope;
    uint32_t up;          /* at most down */
    uint32_t down;
    uint32_t tap_count;   /* odd, or 0 */
    /* The first half and the middle, for the rest mirrors them: the taps 0, up, 2 * up, …, then 1,
     * 1 + up, … and so on. Null: none. */
    const kd_coefficient *taps;
    const kd_coefficient *mean;  /* one a feature */
    const kd_coefficient *scale; /* one a feature */
    const kd_coefficient *log_floor; /* one a feature, each above 0; null: no logarithm */
    const kd_running *running; /* null: none */
    /* Before all else, the roll taken back: two channels turned as one vector, unless they are the
     * same; the others taken from other places of a ring. */
    uint32_t first_axis, second_axis;
    const kd_turn *ring; /* directions of the places, one a channel; null: no ring */
    int32_t ring_sense;  /* 1: numbered from the first axis towards the second; -1: against that */
} kd_stream;

/* How many features go through filters and resampling together, from one on: those of the channels behind
 * it, at most KD_LANES. feature: below feature_count. Never fails. Stack: 0 bytes. */
static inline uint32_t kd_signal_together(const kd_stream *stream, uint32_t feature)
{
    const uint32_t left = stream->channel_count - feature % stream->channel_count;
    return left < KD_LANES ? left : KD_LANES;
}

/* Samples that go through each step together. */
#define KD_SIGNAL_BLOCK 64u

/* Values of memory that each of KD_LANES features needs: some a biquad; where tap_count is not 0, the
 * values that taps reach back to, and a block. firmware_export/front_end.py counts them alike. */
#define KD_SIGNAL_MEMORY_VALUES(biquads, envelope_biquads, taps, up) \
    (KD_BIQUAD_VALUES * ((biquads) + (envelope_biquads)) + ((taps) > 0u ? ((taps) - 1u) / (up) + KD_SIGNAL_BLOCK : 0u))

/* What KD_LANES features, which have one filter, remember of their channels' samples. */
typedef struct kd_signal_state {
    const kd_cascade *filter; /* of the stream's */
    kd_lanes *memory;     /* KD_SIGNAL_MEMORY_VALUES of the stream */
    kd_lanes first, level; /* the sample that it began with, and what the filter makes of it */
    kd_lanes envelope_first, envelope_level;
    uint32_t due;         /* `up` times the place of the next output, from the next sample */
    bool begun;           /* a sample has come */
} kd_signal_state;

/* Features before their channels' first sample. feature: the first of them, below feature_count.
 * memory: KD_SIGNAL_MEMORY_VALUES of the stream; nothing in it is read. due: up times the place of the
 * first output from the first sample, which is 0 where they stand together; below `down`.
 * Never fails. Stack: 0 bytes. */
void kd_signal_begin(const kd_stream *stream, uint32_t feature, kd_signal_state *state, kd_lanes *memory,
                     uint32_t due);

/* Takes n samples of the features' channels, in counts, and gives in their place what the resampler
 * makes of them, in counts as well. n: at most KD_SIGNAL_BLOCK.
 * Returns how many there are, at most n. Stack: 190 bytes. */
uint32_t kd_signal_advance(const kd_stream *stream, kd_signal_state *state, kd_lanes *x, uint32_t n);

/* Units, logarithm and training's normaliser, in place, of n values of one feature.
 * feature: below feature_count. Never fails. Stack: 60 bytes. */
void kd_signal_normalise(const kd_stream *stream, uint32_t feature, kd_value *y, uint32_t n);

/* n int8 values of a model's input. Never fails. Stack: 60 bytes. */
void kd_signal_narrow(const kd_narrowing *to, const kd_value *x, uint32_t n, int8_t *q);

#ifdef __cplusplus
}
#endif

#endif /* KD_SIGNAL_H */
