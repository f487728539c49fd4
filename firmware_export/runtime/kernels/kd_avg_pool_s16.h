/* AVERAGE_POOL_2D, int16. */
#ifndef KD_AVG_POOL_S16_H
#define KD_AVG_POOL_S16_H

#include "kd_pool.h"

typedef kd_pool_params kd_avg_pool_s16_params;

/* out[pixel][c] = clamp(mean of the window's pixels that lie in the input, halves away from zero),
 * bit-exact with TFLite Micro's AVERAGE_POOL_2D. A window's sum fits 32 bits.
 * Without padding, out may be in. Never fails. Stack: under 100 bytes. */
void kd_avg_pool_s16(const kd_avg_pool_s16_params *p, const int16_t *in, int16_t *out);

#endif /* KD_AVG_POOL_S16_H */
