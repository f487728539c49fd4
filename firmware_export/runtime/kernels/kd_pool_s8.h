/* What AVERAGE_POOL_2D and MAX_POOL_2D have in common: their parameters and the clipped windows. */
#ifndef KD_POOL_S8_H
#define KD_POOL_S8_H

#include <stdint.h>

typedef struct {
    uint16_t batches;
    uint16_t in_rows;
    uint16_t in_columns;
    uint16_t channels;
    uint16_t kernel_rows;
    uint16_t kernel_columns;
    uint16_t stride_rows;
    uint16_t stride_columns;
    uint16_t pad_rows;    /* above and left of the first input pixel */
    uint16_t pad_columns;
    uint16_t out_rows;
    uint16_t out_columns;
    int8_t low;           /* clamp, both ends included */
    int8_t high;
} kd_pool_s8_params;

/* The part of a window that lies in the input: at least one pixel. */
typedef struct {
    const int8_t *first;
    uint32_t rows;
    uint32_t columns;
} kd_pool_s8_window;

/* From `at`, in the padding where negative, `kernel` pixels, of which those in 0 to `size` are kept.
 * Returns how many; *first is the first of them. */
static inline uint32_t kd_pool_s8_clip(int32_t at, int32_t kernel, int32_t size, int32_t *first)
{
    const int32_t end = at + kernel < size ? at + kernel : size;
    *first = at < 0 ? 0 : at;
    return (uint32_t)(end - *first);
}

/* What to do with one output pixel. */
typedef void kd_pool_s8_pixel(
    const kd_pool_s8_params *p, const kd_pool_s8_window *window, int8_t *out);

/* Every output pixel in order. */
static inline void kd_pool_s8_each(
    const kd_pool_s8_params *p, const int8_t *in, int8_t *out, kd_pool_s8_pixel *pixel)
{
    for (uint32_t batch = 0; batch < p->batches; batch++) {
        int32_t y = -(int32_t)p->pad_rows;
        for (uint32_t row = 0; row < p->out_rows; row++, y += p->stride_rows) {
            int32_t first_y;
            kd_pool_s8_window window;
            window.rows = kd_pool_s8_clip(y, p->kernel_rows, p->in_rows, &first_y);
            int32_t x = -(int32_t)p->pad_columns;
            for (uint32_t column = 0; column < p->out_columns; column++, x += p->stride_columns) {
                int32_t first_x;
                window.columns = kd_pool_s8_clip(x, p->kernel_columns, p->in_columns, &first_x);
                window.first = in + (first_y * p->in_columns + first_x) * p->channels;
                pixel(p, &window, out);
                out += p->channels;
            }
        }
        in += p->in_rows * p->in_columns * p->channels;
    }
}

#endif /* KD_POOL_S8_H */
