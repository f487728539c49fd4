/* CONV_2D, int8, one group of channels, where windows do not lie in the input in one piece; cores with Helium
 * only. */
#ifndef KD_CONV_STRIPS_S8_H
#define KD_CONV_STRIPS_S8_H

#include "kd_strips.h"

typedef kd_strips_params kd_conv_strips_s8_params;

/* As kd_conv_s8(). Bands have one row. scratch: 8-aligned, as many bytes as aot/lower/strips.py asks for.
 * Never fails. Stack: under 650 bytes. */
void kd_conv_strips_s8(
    const kd_conv_strips_s8_params *p, const int8_t *in, void *scratch, int8_t *out);

#endif /* KD_CONV_STRIPS_S8_H */
