/* Where the variants of kd_depthwise_s8() find the pixels of a window. */
#ifndef KD_DEPTHWISE_S8_TAPS_H
#define KD_DEPTHWISE_S8_TAPS_H

#include <stdint.h>
#include <string.h>

#include "kd_depthwise_s8.h"

/* What to do with one output pixel; taps: the window's pixels in order. */
typedef void kd_depthwise_s8_pixel(
    const kd_depthwise_s8_params *p, const int8_t *const *taps, int8_t *out);

/* The pixels of the window at row y, column x: in the image, or `zeros` outside of it. */
static inline void kd_depthwise_s8_find(const kd_depthwise_s8_params *p, const int8_t *image,
                                        const int8_t *zeros, int32_t y, int32_t x,
                                        const int8_t **taps)
{
    for (uint32_t i = p->kernel_rows; i > 0u; i--, y += p->row_step) {
        const int inside = y >= 0 && y < p->in_rows;
        const int8_t *row = image + (inside ? y * p->in_columns * p->channels : 0);
        int32_t column = x;
        for (uint32_t j = p->kernel_columns; j > 0u; j--, column += p->column_step) {
            const int here = inside && column >= 0 && column < p->in_columns;
            *taps++ = here ? row + column * p->channels : zeros;
        }
    }
}

/* Every output pixel in order. */
static inline void kd_depthwise_s8_each(const kd_depthwise_s8_params *p, const int8_t *in,
                                        void *scratch, int8_t *out, kd_depthwise_s8_pixel *pixel)
{
    const int8_t **taps = scratch;
    int8_t *zeros = (int8_t *)(taps + p->kernel_rows * p->kernel_columns);
    memset(zeros, p->in_zero, p->channels);
    for (uint32_t batch = 0; batch < p->batches; batch++) {
        int32_t y = -(int32_t)p->pad_rows;
        for (uint32_t row = 0; row < p->out_rows; row++, y += p->stride_rows) {
            int32_t x = -(int32_t)p->pad_columns;
            for (uint32_t column = 0; column < p->out_columns; column++, x += p->stride_columns) {
                kd_depthwise_s8_find(p, in, zeros, y, x, taps);
                pixel(p, taps, out);
                out += p->channels;
            }
        }
        in += p->in_rows * p->in_columns * p->channels;
    }
}

#endif /* KD_DEPTHWISE_S8_TAPS_H */
