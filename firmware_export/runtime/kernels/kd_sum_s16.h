/* ADD and SUB of int16 tensors whose zero points are 0. */
#ifndef KD_SUM_S16_H
#define KD_SUM_S16_H

#include "kd_sum.h"

typedef kd_sum_params kd_sum_s16_params;

/* out = a + sign * b, each rescaled, bit-exact with TFLite Micro's ADD and SUB. p->table is NULL.
 * out may be a or b where that one is walked over in order. Never fails. Stack: under 128 bytes. */
void kd_sum_s16(const kd_sum_s16_params *p, const int16_t *a, const int16_t *b, int16_t *out);

#endif /* KD_SUM_S16_H */
