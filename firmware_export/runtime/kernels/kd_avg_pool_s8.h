/* AVERAGE_POOL_2D, int8. */
#ifndef KD_AVG_POOL_S8_H
#define KD_AVG_POOL_S8_H

#include "kd_pool.h"

typedef kd_pool_params kd_avg_pool_s8_params;

/* out[pixel][c] = clamp(mean of the window's pixels that lie in the input, halves away from zero),
 * bit-exact with TFLite Micro's AVERAGE_POOL_2D. A window's sum fits 32 bits.
 * Without padding, out may be in. Never fails. Stack: under 200 bytes. */
void kd_avg_pool_s8(const kd_avg_pool_s8_params *p, const int8_t *in, int8_t *out);

#endif /* KD_AVG_POOL_S8_H */
