/* Where the variants of kd_conv_s8() find an output pixel's window. */
#ifndef KD_CONV_S8_WINDOW_H
#define KD_CONV_S8_WINDOW_H

#include "kd_conv_s8_params.h"

/* A walk over the output's pixels, image after image. */
typedef struct {
    const int8_t *image; /* of the batch */
    int32_t out;         /* where the pixel goes, bytes into the output */
    int32_t x;           /* of the window in its row, bytes; negative in the padding */
    int32_t y;           /* row of the window's first row; negative in the padding */
    uint32_t columns;    /* left in the row, this one included */
    uint32_t rows;       /* left in the image */
} kd_conv_s8_walk;

static inline kd_conv_s8_walk kd_conv_s8_begin(const kd_conv_s8_params *p, const int8_t *in)
{
    const kd_conv_s8_walk walk = {
        in, p->out_first, p->first_x, -(int32_t)p->pad_rows, p->out_columns, p->out_rows};
    return walk;
}

/* kd_conv_s8_window() in all cases. Stack: under 64 bytes. */
const int8_t *kd_conv_s8_any_window(
    const kd_conv_s8_params *p, kd_conv_s8_walk *walk, int8_t *copy);

/* The window of the walk's pixel, and on to the next pixel. Returns a place in the input where the
 * window lies there in one piece, else `copy`, where it is collected with in_zero for what is
 * outside of the input. */
static inline const int8_t *kd_conv_s8_window(
    const kd_conv_s8_params *p, kd_conv_s8_walk *walk, int8_t *copy)
{
    if (walk->x < 0 || walk->x > p->last_direct || walk->columns == 1u) {
        return kd_conv_s8_any_window(p, walk, copy);
    }
    const int8_t *window = walk->image + walk->y * p->row_bytes + walk->x;
    walk->out += p->out_step;
    walk->x += p->x_bytes;
    walk->columns--;
    return window;
}

#endif /* KD_CONV_S8_WINDOW_H */
