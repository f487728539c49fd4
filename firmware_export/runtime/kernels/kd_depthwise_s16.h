/* DEPTHWISE_CONV_2D, int16 values and int8 weights, one output channel for each input channel. */
#ifndef KD_DEPTHWISE_S16_H
#define KD_DEPTHWISE_S16_H

#include "kd_narrow_s16.h"

typedef struct {
    const int8_t *weights;   /* [channels][kernel_rows][kernel_columns] */
    kd_narrow_s16 narrow;    /* by channel */
    uint16_t batches;
    uint16_t in_rows;
    uint16_t in_columns;
    uint16_t channels;
    uint16_t kernel_rows;
    uint16_t kernel_columns; /* up to 256, so that a row's sum fits 32 bits */
    uint16_t stride_rows;
    uint16_t stride_columns;
    uint16_t row_step;       /* dilation */
    uint16_t column_step;
    uint16_t pad_rows;       /* above and left of the first input pixel */
    uint16_t pad_columns;
    uint16_t out_rows;
    uint16_t out_columns;
} kd_depthwise_s16_params;

/* out[pixel][c] = narrowed sum over the window of weight[c] * x[c], bit-exact with TFLite Micro; what
 * lies outside of the input counts as 0. Never fails. Stack: under 150 bytes. */
void kd_depthwise_s16(const kd_depthwise_s16_params *p, const int16_t *in, int16_t *out);

#endif /* KD_DEPTHWISE_S16_H */
