/* RESIZE_NEAREST_NEIGHBOR where the sizes are no multiples of each other. */
#ifndef KD_RESIZE_NEAREST_H
#define KD_RESIZE_NEAREST_H

#include <stdint.h>

typedef struct {
    const uint16_t *rows;    /* input row of each output row, over the batch */
    const uint16_t *columns; /* input column of each output column */
    int32_t out_rows;
    int32_t out_columns;
    int32_t row_bytes;       /* of an input row */
    int32_t pixel_bytes;
} kd_resize_nearest_params;

/* out[y][x] = in[rows[y]][columns[x]]; any type. in and out do not overlap.
 * Never fails. Stack: under 64 bytes. */
void kd_resize_nearest(const kd_resize_nearest_params *p, const void *in, void *out);

#endif /* KD_RESIZE_NEAREST_H */
