/* ADD and SUB of int8 tensors. */
#ifndef KD_SUM_S8_H
#define KD_SUM_S8_H

#include "kd_sum.h"

typedef kd_sum_params kd_sum_s8_params;

/* out = a + sign * b, each rescaled, bit-exact with TFLite Micro's ADD and SUB.
 * out may be a or b where that one is walked over in order. Never fails. Stack: under 128 bytes. */
void kd_sum_s8(const kd_sum_s8_params *p, const int8_t *a, const int8_t *b, int8_t *out);

#endif /* KD_SUM_S8_H */
