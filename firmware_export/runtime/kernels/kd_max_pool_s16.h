/* MAX_POOL_2D, int16. */
#ifndef KD_MAX_POOL_S16_H
#define KD_MAX_POOL_S16_H

#include "kd_pool.h"

typedef kd_pool_params kd_max_pool_s16_params;

/* out[pixel][c] = clamp(largest of the window's pixels that lie in the input), as TFLite Micro's
 * MAX_POOL_2D. Without padding, out may be in. Never fails. Stack: under 100 bytes. */
void kd_max_pool_s16(const kd_max_pool_s16_params *p, const int16_t *in, int16_t *out);

#endif /* KD_MAX_POOL_S16_H */
