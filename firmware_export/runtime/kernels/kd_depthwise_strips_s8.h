/* DEPTHWISE_CONV_2D, int8, one output channel for each input channel, windows of up to 16 pixels; cores with
 * Helium only. */
#ifndef KD_DEPTHWISE_STRIPS_S8_H
#define KD_DEPTHWISE_STRIPS_S8_H

#include <stdint.h>

typedef struct {
    const int8_t *weights;     /* [channel][column of the window][row of it] */
    const int32_t *bias;       /* by channel, the input's zero point folded in */
    const int32_t *multiplier; /* by channel */
    const int8_t *shift;       /* by channel, left where positive */
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
    uint16_t tile_rows;        /* of the output, computed at a time: part of a row, or whole rows; */
    uint16_t tile_columns;     /* at least 4 pixels */
    int16_t in_zero;           /* the input's zero point, */
    int16_t out_zero;          /* the output's before the table */
    int8_t low;                /* clamp, both ends included; the whole range where a table is */
    int8_t high;
    uint8_t block;             /* channels at a time: 16, 8 or fewer */
} kd_depthwise_strips_s8_params;

/* As kd_depthwise_s8(). scratch: 8-aligned, as many bytes as aot/lower/depthwise_strips.py asks for.
 * Never fails. Stack: under 300 bytes. */
void kd_depthwise_strips_s8(
    const kd_depthwise_strips_s8_params *p, const int8_t *in, void *scratch, int8_t *out);

#endif /* KD_DEPTHWISE_STRIPS_S8_H */
