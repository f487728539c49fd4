/* DEPTHWISE_CONV_2D, int8 values and int4 weights, one output channel for each input channel. */
#ifndef KD_DEPTHWISE_S4_H
#define KD_DEPTHWISE_S4_H

#include "kd_depthwise_s8.h"

typedef struct {
    const uint8_t *packed;        /* `groups` times: bytes to copy, then values for kd_unpack_s4() */
    uint32_t groups;
    uint32_t copied_bytes;        /* of a group */
    uint32_t values;              /* of a group */
    kd_depthwise_s8_params layer; /* its weights: NULL */
} kd_depthwise_s4_params;

/* As kd_depthwise_s8, which it calls with the layer's weights unpacked into `weights`, 8-aligned:
 * groups * (copied_bytes + values) bytes. Never fails. Stack: under 300 bytes. */
void kd_depthwise_s4(const kd_depthwise_s4_params *p, const int8_t *in, void *weights, void *scratch,
                     int8_t *out);

#endif /* KD_DEPTHWISE_S4_H */
