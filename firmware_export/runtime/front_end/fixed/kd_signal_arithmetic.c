#include "kd_signal_arithmetic.h"

#include <stddef.h>

#include "kd_front_end.h"

#if KD_LOG_STREAMS > 0
#include "kd_log.h"
#endif

/* Bits behind the point of biquads, taps and normalisers; firmware_export/front_end.py writes them so. */
#define COEFFICIENT_BITS 29
#define TAP_BITS 30
#define SCALE_BITS 30

static int32_t magnitude(int32_t x)
{
    return x < 0 ? -x : x;
}

int32_t kd_gained(const kd_cascade *cascade, int32_t x)
{
    const int64_t half = (int64_t)1 << (COEFFICIENT_BITS - 1);
    return (int32_t)(((int64_t)cascade->gain * x + half) >> COEFFICIENT_BITS);
}

/* In direct form I. memory: the last two samples and results, and what rounding took from the last
 * result, which the next one gets back. offset: taken from each sample first. */
static void run_one(const kd_biquad *biquad, int32_t *memory, int32_t offset, int32_t *x, uint32_t n)
{
    const int32_t b0 = biquad->b0, b1 = biquad->b1, b2 = biquad->b2;
    const int32_t a1 = -biquad->a1, a2 = -biquad->a2;
    int32_t x1 = memory[0], x2 = memory[1], y1 = memory[2], y2 = memory[3], rest = memory[4];
    uint32_t i;
    for (i = 0; i < n; i++) {
        const int32_t in = x[i] - offset;
        int64_t total = rest;
        total += (int64_t)b0 * in;
        total += (int64_t)b1 * x1;
        total += (int64_t)b2 * x2;
        total += (int64_t)a1 * y1;
        total += (int64_t)a2 * y2;
        x2 = x1;
        x1 = in;
        y2 = y1;
        y1 = (int32_t)(total >> COEFFICIENT_BITS);
        rest = (int32_t)(total & (((int64_t)1 << COEFFICIENT_BITS) - 1));
        x[i] = y1;
    }
    memory[0] = x1;
    memory[1] = x2;
    memory[2] = y1;
    memory[3] = y2;
    memory[4] = rest;
}

void kd_filter(const kd_cascade *cascade, int32_t *memory, int32_t first, int32_t *x, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < cascade->count; i++) {
        run_one(cascade->biquads + i, memory, i == 0u ? first : 0, x, n);
        memory += KD_BIQUAD_VALUES;
    }
}

void kd_rectify(int32_t level, int32_t *x, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        x[i] = magnitude(x[i] + level);
    }
}

#if KD_RESAMPLED_STREAMS > 0

static int32_t rounded_sum(int64_t sum)
{
    return (int32_t)((sum + ((int64_t)1 << (TAP_BITS - 1))) >> TAP_BITS);
}

int32_t kd_resampled(const int32_t *taps, uint32_t rising, const int32_t *back, uint32_t falling,
                     const int32_t *newest)
{
    int64_t sum = 0;
    for (; rising > 0u; rising--) {
        sum += (int64_t)*taps++ * *newest--;
    }
    for (; falling > 0u; falling--) {
        sum += (int64_t)*back-- * *newest--;
    }
    return rounded_sum(sum);
}

/* The first of two outputs. */
static int32_t folded(const int32_t *taps, const int32_t *newest, uint32_t count)
{
    const int32_t *oldest = newest - (count - 1u);
    int64_t sum = 0;
    uint32_t left = count / 2u;
    for (; left > 0u; left--) {
        sum += (int64_t)*taps++ * (*newest-- + *oldest++);
    }
    return rounded_sum(count % 2u == 1u ? sum + (int64_t)*taps * *newest : sum);
}

void kd_resampled_twice(const int32_t *taps, const int32_t *newest, uint32_t apart, uint32_t count,
                        int32_t *sums)
{
    const int32_t *oldest = newest - (count - 1u);
    const int32_t *newest_b = newest + apart, *oldest_b = oldest + apart;
    int64_t sum = 0, sum_b = 0;
    uint32_t left = count / 2u;
    if (apart == 0u) {
        sums[0] = folded(taps, newest, count);
        sums[1] = sums[0];
        return;
    }
    for (; left > 0u; left--) {
        const int32_t tap = *taps++;
        sum += (int64_t)tap * (*newest-- + *oldest++);
        sum_b += (int64_t)tap * (*newest_b-- + *oldest_b++);
    }
    if (count % 2u == 1u) {
        sum += (int64_t)*taps * *newest;
        sum_b += (int64_t)*taps * *newest_b;
    }
    sums[0] = rounded_sum(sum);
    sums[1] = rounded_sum(sum_b);
}

#endif

void kd_signal_normalise(const kd_stream *stream, uint32_t feature, int32_t *y, uint32_t n)
{
    const int32_t offset = stream->mean[feature], scale = stream->scale[feature];
    const int64_t half = (int64_t)1 << (SCALE_BITS - 1);
    uint32_t i;

#if KD_LOG_STREAMS > 0
    if (stream->log_floor != NULL) {
        const uint32_t log_floor = (uint32_t)stream->log_floor[feature];
        for (i = 0; i < n; i++) {
            y[i] = kd_log((y[i] > 0 ? (uint32_t)y[i] : 0u) + log_floor);
        }
    }
#endif
    for (i = 0; i < n; i++) {
        y[i] = (int32_t)(((int64_t)y[i] * scale + half) >> SCALE_BITS) - offset;
    }
}

void kd_signal_narrow(const kd_narrowing *to, const int32_t *x, uint32_t n, int8_t *q)
{
    const int32_t multiplier = to->multiplier, shift = to->shift, zero_point = to->zero_point;
    const int32_t half = 1 << (shift - 1);
    uint32_t i;
    for (i = 0; i < n; i++) {
        const int32_t high = (int32_t)(((int64_t)x[i] * multiplier) >> 32);
        const int32_t value = ((high + half) >> shift) + zero_point;
        q[i] = (int8_t)(value > 127 ? 127 : value < -128 ? -128 : value);
    }
}
