/* CONV_2D, int8, along rows with a filter of one row and few output channels; cores with the DSP
 * extension only. */
#ifndef KD_CONV_S8_ROW_H
#define KD_CONV_S8_ROW_H

#include <stdint.h>

typedef struct {
    const int32_t *weights; /* stream as described in kd_conv_s8_row_dsp.c */
    const int8_t *table;    /* 256 values that replace value + 128 after clamping; or NULL */
    int32_t row_bytes;      /* of the input */
    int32_t in_step_bytes;  /* from the row of one output row to that of the next */
    int32_t first_x;        /* byte in its row where the first window begins; negative: padding */
    uint16_t x_bytes;       /* from one window to the next */
    uint16_t window_bytes;
    uint16_t tile_pixels;   /* output pixels whose input is widened at a time, at least 3 */
    uint16_t out_rows;      /* of all images */
    uint16_t out_columns;   /* at least 3 */
    uint16_t out_channels;
    int16_t in_zero;        /* the input's zero point, */
    int16_t out_zero;       /* the output's before the table */
    int8_t low;             /* clamp, both ends included; the whole range where a table is */
    int8_t high;
} kd_conv_s8_row_params;

/* As kd_conv_s8(). scratch: 8-aligned; 2 * ((tile_pixels - 1) * x_bytes + window_bytes + 1)
 * bytes. Never fails. Stack: under 200 bytes. */
void kd_conv_s8_row(const kd_conv_s8_row_params *p, const int8_t *in, void *scratch, int8_t *out);

#endif /* KD_CONV_S8_ROW_H */
