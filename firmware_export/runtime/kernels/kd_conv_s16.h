/* CONV_2D, int16 values and int8 weights, in groups of channels too; TRANSPOSE_CONV and some
 * DEPTHWISE_CONV_2D come here as ordinary convolutions. */
#ifndef KD_CONV_S16_H
#define KD_CONV_S16_H

#include "kd_matvec_s16.h"

typedef struct {
    kd_matvec_s16_matrix matrix; /* a row: one filter, [kernel_rows][kernel_columns][group_channels] */
    int32_t out_first;           /* values: where the first output pixel goes, */
    int32_t out_step;            /* what is between two pixels' beginnings, */
    int32_t out_row_gap;         /* and what is added to that behind a row */
    uint16_t batches;
    uint16_t in_rows;
    uint16_t in_columns;
    uint16_t in_channels;
    uint16_t kernel_rows;
    uint16_t run_columns;        /* kernel pixels that adjoin in the input: all of a row, or 1 */
    uint16_t runs;               /* of these in a row of the kernel */
    uint16_t groups;
    uint16_t group_channels;     /* input channels of a group */
    uint16_t group_filters;      /* output channels of a group */
    uint16_t stride_rows;
    uint16_t stride_columns;
    uint16_t row_step;           /* dilation */
    uint16_t column_step;
    int32_t pad_rows;            /* above and left of the first input pixel; negative: left out */
    int32_t pad_columns;
    uint16_t out_rows;
    uint16_t out_columns;
} kd_conv_s16_params;

/* out[pixel][c] = narrowed sum over the window of weight * x, bit-exact with TFLite Micro's CONV_2D;
 * what lies outside of the input counts as 0. scratch: a window of a group, unused where every window
 * adjoins in the input. Never fails. Stack: 380 bytes. */
void kd_conv_s16(const kd_conv_s16_params *p, const int16_t *in, int16_t *scratch, int16_t *out);

#endif /* KD_CONV_S16_H */
