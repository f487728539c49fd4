/* Requantisation of values that stay within 2^30: what 32 bits can round without a look at the carry. */
#ifndef KD_RESCALE_H
#define KD_RESCALE_H

#include <stdint.h>

#include "kd_math.h"

/* x / 2^right, halves away from zero; |x| is at most 2^30, right is 0 to 31. */
static inline int32_t kd_round_right(int32_t x, int32_t right)
{
    const int32_t half = (int32_t)((1u << right) >> 1);
    return (x + half + ((x >> 31) & -(int32_t)(right > 0))) >> right;
}

/* As kd_requant(), of |x * 2^shift| of at most 2^30. */
static inline int32_t kd_rescale(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t left = kd_max(shift, 0);
    return kd_round_right(kd_high_mul(x * (1 << left), multiplier), left - shift);
}

#endif /* KD_RESCALE_H */
