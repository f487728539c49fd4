#include "kd_signal_arithmetic.h"

#include <stddef.h>

#include "kd_front_end.h"
#include "kd_quantize.h"

#if KD_LOG_STREAMS > 0
#include "kd_log.h"
#endif

/* Each operation is rounded by itself, as in kd_edge/examples/single.py: no fused multiply-add. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

#if KD_LANES == 4u
typedef int32_t bits __attribute__((vector_size(16)));

static kd_lanes magnitude(kd_lanes x)
{
    return (kd_lanes)((bits)x & 0x7fffffff);
}
#else
static kd_lanes magnitude(kd_lanes x)
{
#if defined(__GNUC__)
    return __builtin_fabsf(x); /* an instruction, and no library */
#else
    return x < 0.0f ? -x : x;
#endif
}
#endif

kd_lanes kd_gained(const kd_cascade *cascade, kd_lanes x)
{
    return cascade->gain * x;
}

/* memory: two a biquad. offset: taken from each sample first. */
static void run_one(const kd_biquad *biquad, kd_lanes *memory, kd_lanes offset, kd_lanes *x, uint32_t n)
{
    const kd_biquad p = *biquad;
    kd_lanes s0 = memory[0], s1 = memory[1];
    uint32_t i;
    for (i = 0; i < n; i++) {
        const kd_lanes in = x[i] - offset;
        const kd_lanes y = p.b0 * in + s0;
        s0 = p.b1 * in - p.a1 * y + s1;
        s1 = p.b2 * in - p.a2 * y;
        x[i] = y;
    }
    memory[0] = s0;
    memory[1] = s1;
}

/* Two at once: what lies between them stays in a register. */
static void run_two(const kd_biquad *biquads, kd_lanes *memory, kd_lanes offset, kd_lanes *x, uint32_t n)
{
    const kd_biquad p = biquads[0], q = biquads[1];
    kd_lanes s0 = memory[0], s1 = memory[1], t0 = memory[2], t1 = memory[3];
    uint32_t i;
    for (i = 0; i < n; i++) {
        const kd_lanes in = x[i] - offset;
        const kd_lanes between = p.b0 * in + s0;
        const kd_lanes y = q.b0 * between + t0;
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

void kd_filter(const kd_cascade *cascade, kd_lanes *memory, kd_lanes first, kd_lanes *x, uint32_t n)
{
    const kd_biquad *biquads = cascade->biquads;
    const kd_lanes zero = {0};
    kd_lanes offset = first;
    uint32_t left = cascade->count;
    for (; left >= 2u; left -= 2u) {
        run_two(biquads, memory, offset, x, n);
        biquads += 2;
        memory += 4;
        offset = zero;
    }
    if (left > 0u) {
        run_one(biquads, memory, offset, x, n);
    }
}

void kd_rectify(kd_lanes level, kd_lanes *x, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        x[i] = magnitude(x[i] + level);
    }
}

#if KD_RESAMPLED_STREAMS > 0

/* *sum += taps[0] * newest[0] + taps[step] * newest[-1] + taps[2 * step] * newest[-2] …, `count` of
 * them, every second one summed apart. */
static void dot(const kd_coefficient *taps, int32_t step, const kd_lanes *newest, uint32_t count, kd_lanes *sum)
{
    kd_lanes even = *sum, odd = {0};
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

kd_lanes kd_resampled(const kd_coefficient *taps, uint32_t rising, const kd_coefficient *back, uint32_t falling,
                   const kd_lanes *newest)
{
    kd_lanes sum = {0};
    dot(taps, 1, newest, rising, &sum);
    dot(back, -1, newest - rising, falling, &sum);
    return sum;
}

void kd_resampled_twice(const kd_coefficient *taps, const kd_lanes *newest, uint32_t apart, uint32_t count,
                        kd_lanes *sums)
{
    const kd_lanes *oldest = newest - (count - 1u);
    const kd_lanes *newest_b = newest + apart, *oldest_b = oldest + apart;
    kd_lanes even = {0}, odd = {0}, even_b = {0}, odd_b = {0};
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

#endif

void kd_signal_normalise(const kd_stream *stream, uint32_t feature, float *y, uint32_t n)
{
    const float lsb = stream->lsb, mean = stream->mean[feature], scale = stream->scale[feature];
    uint32_t i;

#if KD_LOG_STREAMS > 0
    if (stream->log_floor != NULL) {
        const float log_floor = stream->log_floor[feature];
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

void kd_signal_narrow(const kd_narrowing *to, const float *x, uint32_t n, int8_t *q)
{
    kd_quantize_input(x, n, to->scale, to->zero_point, q);
}
