/* DEPTHWISE_CONV_2D, int8, one output channel for each input channel. */
#ifndef KD_DEPTHWISE_S8_H
#define KD_DEPTHWISE_S8_H

#include <stdint.h>

typedef struct {
    const void *weights;       /* laid out for the variant by aot/lower/depthwise.py */
    const int32_t *bias;       /* by channel, the input's zero point folded in; these three are */
    const int32_t *multiplier; /* in the weights' stream for the DSP variant, NULL here; */
    const int8_t *shift;       /* Helium: padded to whole vectors */
    const int8_t *table;       /* 256 values that replace value + 128 after clamping; or NULL */
    uint16_t batches;
    uint16_t in_rows;
    uint16_t in_columns;
    uint16_t channels;
    uint16_t kernel_rows;
    uint16_t kernel_columns;
    uint16_t stride_rows;
    uint16_t stride_columns;
    uint16_t row_step;         /* dilation */
    uint16_t column_step;
    uint16_t pad_rows;         /* above and left of the first input pixel */
    uint16_t pad_columns;
    uint16_t out_rows;
    uint16_t out_columns;
    uint16_t tile_rows;        /* output pixels that the DSP variant computes at a time; else 0 */
    uint16_t tile_columns;
    int16_t in_zero;           /* the input's zero point, */
    int16_t out_zero;          /* the output's before the table */
    int8_t low;                /* clamp, both ends included; the whole range where a table is */
    int8_t high;
} kd_depthwise_s8_params;

/* out[pixel][c] = clamp(requant(bias[c] + sum over the window of weight[c] * (x[c] - in_zero))
 * + out_zero), bit-exact with TFLite Micro's DEPTHWISE_CONV_2D; what lies outside of the input
 * counts as in_zero. scratch: 8-aligned; a pointer for each pixel of the window, then `channels`
 * bytes; the DSP variant's, see aot/lower/depthwise.py. Never fails. Stack: under 400 bytes. */
void kd_depthwise_s8(const kd_depthwise_s8_params *p, const int8_t *in, void *scratch, int8_t *out);

#endif /* KD_DEPTHWISE_S8_H */
