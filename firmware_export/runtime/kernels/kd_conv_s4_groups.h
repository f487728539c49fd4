/* CONV_2D in groups, int8 values and int4 weights; DEPTHWISE_CONV_2D with several output channels for an
 * input channel is one. */
#ifndef KD_CONV_S4_GROUPS_H
#define KD_CONV_S4_GROUPS_H

#include "kd_conv_s8_general.h"

typedef struct {
    const uint8_t *packed; /* a filter after another, as kd_unpack_s4() reads them */
    kd_conv_s8_general_params conv; /* its weights: NULL */
} kd_conv_s4_groups_params;

/* As kd_conv_s8_general, which it calls for one output channel after the other, with that one's filter
 * unpacked. filter: scratch for the values of a filter. Never fails. Stack: under 300 bytes. */
void kd_conv_s4_groups(
    const kd_conv_s4_groups_params *p, const int8_t *in, int8_t *filter, int8_t *out);

#endif /* KD_CONV_S4_GROUPS_H */
