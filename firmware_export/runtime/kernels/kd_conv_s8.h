/* CONV_2D, int8, one group of channels: TRANSPOSE_CONV and DEPTHWISE_CONV_2D of one input channel
 * come here too, each as ordinary convolutions. */
#ifndef KD_CONV_S8_H
#define KD_CONV_S8_H

#include "kd_conv_s8_params.h"

/* out[pixel][c] = clamp(requant(bias[c] + sum over the window of weight * (x - in_zero)) + out_zero),
 * bit-exact with TFLite Micro's CONV_2D; what lies outside of the input counts as in_zero.
 * scratch: 8-aligned, as many bytes as aot/lower/conv.py asks for; unused where that is none.
 * Never fails. Stack: under 250 bytes. */
void kd_conv_s8(const kd_conv_s8_params *p, const int8_t *in, void *scratch, int8_t *out);

#endif /* KD_CONV_S8_H */
