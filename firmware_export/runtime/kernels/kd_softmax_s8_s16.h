/* SOFTMAX, int8 to int16. */
#ifndef KD_SOFTMAX_S8_S16_H
#define KD_SOFTMAX_S8_S16_H

#include "kd_softmax.h"

typedef kd_softmax_params kd_softmax_s8_s16_params;

/* Each row as shares of 65536 less 32768, bit-exact with TFLite Micro's SOFTMAX. in and out do not
 * overlap. Never fails. Stack: under 96 bytes. */
void kd_softmax_s8_s16(const kd_softmax_s8_s16_params *p, const int8_t *in, int16_t *out);

#endif /* KD_SOFTMAX_S8_S16_H */
