/* MAX_POOL_2D, int8. */
#ifndef KD_MAX_POOL_S8_H
#define KD_MAX_POOL_S8_H

#include "kd_pool.h"

typedef kd_pool_params kd_max_pool_s8_params;

/* out[pixel][c] = clamp(largest of the window's pixels that lie in the input), as TFLite Micro's
 * MAX_POOL_2D. Without padding, out may be in. Never fails. Stack: under 100 bytes. */
void kd_max_pool_s8(const kd_max_pool_s8_params *p, const int8_t *in, int8_t *out);

#endif /* KD_MAX_POOL_S8_H */
