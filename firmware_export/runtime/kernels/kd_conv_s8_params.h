/* Parameters of the convolutions whose windows are collected in one piece: kd_conv_s8, kd_conv_s4. */
#ifndef KD_CONV_S8_PARAMS_H
#define KD_CONV_S8_PARAMS_H

#include <stdint.h>

/* Bytes are bytes of the NHWC input unless said otherwise. A window is what one output pixel reads:
 * `kernel_rows` times `runs` runs of `run_bytes` adjoining bytes. Without dilation along the row,
 * a run is a whole row of the filter; with it, a run is one pixel. */
typedef struct {
    const void *weights;       /* laid out for the variant by aot/lower/conv_layout.py */
    const int32_t *bias;       /* by output channel; portable and Helium: zero point folded in; */
    const int32_t *multiplier; /* these three are in the weights' stream for the DSP variant, */
    const int8_t *shift;       /* NULL here; Helium: padded to whole vectors */
    const int8_t *table;       /* 256 values that replace value + 128 after clamping; or NULL */
    int32_t first_x;           /* where the first window of a row begins, <= 0 */
    int32_t last_direct;       /* last place in a row where a window may be read in place; or -1 */
    int32_t row_bytes;         /* of the input */
    int32_t x_bytes;           /* from one window to the next along a row */
    int32_t run_bytes;
    int32_t run_step;          /* from one run to the next in a row */
    int32_t window_bytes;      /* kernel_rows * runs * run_bytes */
    int32_t out_first;         /* of the output: where the first pixel goes, */
    int32_t out_step;          /* what is between two pixels' beginnings, */
    int32_t out_row_gap;       /* and what is added to that behind a row */
    uint16_t batches;
    uint16_t in_rows;
    uint16_t kernel_rows;
    uint16_t runs;
    uint16_t row_step;         /* dilation down the rows */
    uint16_t stride_rows;
    int16_t pad_rows;          /* above the first input row; negative: rows left out */
    uint16_t out_rows;
    uint16_t out_columns;
    uint16_t out_channels;
    int16_t in_zero;           /* the input's zero point, */
    int16_t out_zero;          /* the output's before the table */
    int8_t low;                /* clamp, both ends included; the whole range where a table is */
    int8_t high;
} kd_conv_s8_params;

#endif /* KD_CONV_S8_PARAMS_H */
