/* MUL of int16 tensors whose zero points are 0. */
#ifndef KD_MUL_S16_H
#define KD_MUL_S16_H

#include "kd_mul.h"

typedef kd_mul_params kd_mul_s16_params;

/* out = a * b rescaled, bit-exact with TFLite Micro's MUL. p->table is NULL.
 * out may be a or b where that one is walked over in order. Never fails. Stack: under 128 bytes. */
void kd_mul_s16(const kd_mul_s16_params *p, const int16_t *a, const int16_t *b, int16_t *out);

#endif /* KD_MUL_S16_H */
