/* MEAN and SUM of an int16 tensor over any axes. */
#ifndef KD_REDUCE_S16_H
#define KD_REDUCE_S16_H

#include "kd_reduce.h"

typedef kd_reduce_params kd_reduce_s16_params;

/* out = clamp(requant(sum of in) + offset), bit-exact with TFLite Micro's MEAN and SUM.
 * Never fails. Stack: under 160 bytes. */
void kd_reduce_s16(const kd_reduce_s16_params *p, const int16_t *in, int16_t *out);

#endif /* KD_REDUCE_S16_H */
