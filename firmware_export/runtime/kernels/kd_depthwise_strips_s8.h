/* DEPTHWISE_CONV_2D, int8, one output channel for each input channel, windows of up to 16 pixels; cores with
 * Helium only. */
#ifndef KD_DEPTHWISE_STRIPS_S8_H
#define KD_DEPTHWISE_STRIPS_S8_H

#include "kd_strips.h"

typedef kd_strips_params kd_depthwise_strips_s8_params;

/* As kd_depthwise_s8(). A window is at most 16 bytes of a strip. scratch: 8-aligned, as many bytes as
 * aot/lower/strips.py asks for. Never fails. Stack: under 650 bytes. */
void kd_depthwise_strips_s8(
    const kd_depthwise_strips_s8_params *p, const int8_t *in, void *scratch, int8_t *out);

#endif /* KD_DEPTHWISE_STRIPS_S8_H */
