/* CONV_2D, int8 values and int4 weights, one group of channels. */
#ifndef KD_CONV_S4_H
#define KD_CONV_S4_H

#include "kd_conv_s8_params.h"

/* Weights: pairs of output channels for kd_dot_s4(); bias, multiplier and shift by channel, the
 * zero point folded in. */
typedef kd_conv_s8_params kd_conv_s4_params;

/* As kd_conv_s8. scratch: as kd_s4_prepare() takes it for a window. copy: window_bytes, unused where every
 * window may be read in place. Never fails. Stack: under 250 bytes. */
void kd_conv_s4(const kd_conv_s4_params *p, const int8_t *in, void *scratch, void *copy, int8_t *out);

#endif /* KD_CONV_S4_H */
