/* MEAN and SUM of an int8 tensor over any axes. */
#ifndef KD_REDUCE_S8_H
#define KD_REDUCE_S8_H

#include "kd_reduce.h"

typedef kd_reduce_params kd_reduce_s8_params;

/* out = clamp(requant(sum of in) + offset), bit-exact with TFLite Micro's MEAN and SUM.
 * Never fails. Stack: under 160 bytes. */
void kd_reduce_s8(const kd_reduce_s8_params *p, const int8_t *in, int8_t *out);

#endif /* KD_REDUCE_S8_H */
