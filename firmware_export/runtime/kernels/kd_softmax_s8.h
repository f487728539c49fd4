/* SOFTMAX, int8 to int8. */
#ifndef KD_SOFTMAX_S8_H
#define KD_SOFTMAX_S8_H

#include "kd_softmax.h"

typedef kd_softmax_params kd_softmax_s8_params;

/* Each row as shares of 256 less 128, bit-exact with TFLite Micro's SOFTMAX; it ends the process where
 * the shares sum to 512 largest ones or more, here they then are 0. in and out may be the same.
 * Never fails. Stack: under 96 bytes. */
void kd_softmax_s8(const kd_softmax_s8_params *p, const int8_t *in, int8_t *out);

#endif /* KD_SOFTMAX_S8_H */
