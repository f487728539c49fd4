/* CONV_2D, int8, in its rarer forms: groups of channels, weights and scales of any size. */
#ifndef KD_CONV_S8_GENERAL_H
#define KD_CONV_S8_GENERAL_H

#include <stdint.h>

typedef struct {
    const int8_t *weights;     /* [out_channels][kernel_rows][kernel_columns][group_channels] */
    const int32_t *bias;       /* by output channel, as are the next two */
    const int32_t *multiplier;
    const int8_t *shift;
    const int8_t *table;       /* 256 values that replace value + 128 after clamping; or NULL */
    int32_t out_first;         /* bytes: where the first output pixel goes, */
    int32_t out_step;          /* what is between two pixels' beginnings, */
    int32_t out_row_gap;       /* and what is added to that behind a row */
    uint16_t batches;
    uint16_t in_rows;
    uint16_t in_columns;
    uint16_t in_channels;
    uint16_t kernel_rows;
    uint16_t kernel_columns;
    uint16_t group_channels;   /* input channels of a group */
    uint16_t group_filters;    /* output channels of a group */
    uint16_t stride_rows;
    uint16_t stride_columns;
    uint16_t row_step;         /* dilation */
    uint16_t column_step;
    int16_t pad_rows;           /* above and left of the first input pixel; */
    int16_t pad_columns;        /* negative: pixels left out */
    uint16_t out_rows;
    uint16_t out_columns;
    uint16_t out_channels;
    int16_t in_zero;           /* the input's zero point, */
    int16_t out_zero;          /* the output's before the table */
    int8_t low;                /* clamp, both ends included; the whole range where a table is */
    int8_t high;
} kd_conv_s8_general_params;

/* out[pixel][c] = clamp(requant(bias[c] + sum over the window in c's group of weight * (x - in_zero))
 * + out_zero), bit-exact with TFLite Micro's CONV_2D; windows skip what is outside of the input.
 * Never fails. Stack: under 250 bytes. */
void kd_conv_s8_general(const kd_conv_s8_general_params *p, const int8_t *in, int8_t *out);

#endif /* KD_CONV_S8_GENERAL_H */
