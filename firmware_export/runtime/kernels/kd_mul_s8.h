/* MUL of int8 tensors. */
#ifndef KD_MUL_S8_H
#define KD_MUL_S8_H

#include "kd_mul.h"

typedef kd_mul_params kd_mul_s8_params;

/* out = a * b rescaled, bit-exact with TFLite Micro's MUL.
 * out may be a or b where that one is walked over in order. Never fails. Stack: under 128 bytes. */
void kd_mul_s8(const kd_mul_s8_params *p, const int8_t *a, const int8_t *b, int8_t *out);

#endif /* KD_MUL_S8_H */
