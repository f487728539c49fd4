/* kd_avg_pool_s8() for cores with the DSP extension: four channels at a time, in halves of words.
 * Code for size has one at a time, for a hundred bytes less. */
#include "kd_avg_pool_s8.h"
#include "kd_pool_bytes.h"

#define KD_AVG_POOL kd_avg_pool_s8
#define KD_VALUE int8_t
#define KD_LEAST INT8_MIN
#define KD_MOST INT8_MAX
#ifndef __OPTIMIZE_SIZE__
#define KD_MANY fours
#endif

#include "kd_avg_pool_body.h"

#ifdef KD_MANY
/* Sums of 16 bits hold this many values. */
#define KD_MOST_VALUES 255

/* Adds four bytes to halves of the words `even` and `odd`. */
#define KD_ADD(bytes)                                                                              \
    do {                                                                                           \
        __asm__("sxtab16 %0, %0, %1" : "+r"(even) : "r"(bytes));                                   \
        __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(odd) : "r"(bytes));                            \
    } while (0)

/* The last n channels, 2 or 3: a function of its own, because fours need all registers. */
static __attribute__((noinline)) void last(
    const kd_pool_params *p, const kd_pool_window *window, int32_t count, uint32_t n, int8_t *out)
{
    const uint32_t channels = p->channels, c = channels - n;
    uint32_t even = 0, odd = 0;
    KD_EACH_PIXEL(p, window, c, kd_pool_bytes(x, n), KD_ADD);
    out[c] = mean((int16_t)even, count);
    out[c + 1u] = mean((int16_t)odd, count);
    if (n > 2u) {
        out[c + 2u] = mean((int32_t)even >> 16, count);
    }
}

static inline uint32_t fours(
    const kd_pool_params *p, const kd_pool_window *window, int32_t count, int8_t *out)
{
    const uint32_t channels = p->channels;
    const uint32_t done = count <= KD_MOST_VALUES ? channels & ~3u : 0u;
    for (uint32_t c = 0; c < done; c += 4u) {
        uint32_t even = 0, odd = 0;
        KD_EACH_PIXEL(p, window, c, kd_pool_four(x), KD_ADD);
        out[c] = mean((int16_t)even, count);
        out[c + 1u] = mean((int16_t)odd, count);
        out[c + 2u] = mean((int32_t)even >> 16, count);
        out[c + 3u] = mean((int32_t)odd >> 16, count);
    }
    if (count > KD_MOST_VALUES || channels - done < 2u) {
        return done;
    }
    last(p, window, count, channels - done, out);
    return channels;
}

#endif
