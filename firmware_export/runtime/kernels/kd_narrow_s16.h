/* From sums over int16 values and int8 weights, of up to 48 bits, to int16: zero points are 0. */
#ifndef KD_NARROW_S16_H
#define KD_NARROW_S16_H

#include <stddef.h>
#include <stdint.h>

#include "kd_math.h"

/* sum * multiplier / 2^(right + 1), halves up: what TFLite Micro does with sums of 64 bits.
 * multiplier: 0 to 2^15 - 1; right: 7 to 45; the result is within 2^30. */
static inline int32_t kd_requant_wide(int64_t sum, int32_t multiplier, int32_t right)
{
    return ((int32_t)((sum * multiplier) >> right) + 1) >> 1;
}

typedef struct {
    const int64_t *bias;   /* by channel; or NULL */
    const int32_t *scales; /* multiplier and right (see above), once or for each channel */
    int16_t low;           /* clamp, both ends included */
    int16_t high;
    uint8_t by_channel;    /* 1 where each channel has scales of its own, else 0 */
    uint8_t twice;         /* 1: sums fit 32 bits; scales are multiplier and shift of kd_requant() */
} kd_narrow_s16;

/* The result of a channel from its sum without bias. */
static inline int16_t kd_to_s16(const kd_narrow_s16 *n, uint32_t channel, int64_t sum)
{
    const int32_t *scale = n->scales + 2u * channel * n->by_channel;
    const int64_t whole = n->bias != NULL ? sum + n->bias[channel] : sum;
    const int32_t value = n->twice != 0u ? kd_requant((int32_t)whole, scale[0], scale[1])
                                         : kd_requant_wide(whole, scale[0], scale[1]);
    return (int16_t)kd_clamp(value, n->low, n->high);
}

#endif /* KD_NARROW_S16_H */
