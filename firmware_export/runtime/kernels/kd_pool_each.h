/* The windows of a pooling, clipped to the input. Before it: KD_VALUE, the type of the values. */

#include "kd_pool.h"

/* The part of a window that lies in the input: at least one pixel. */
typedef struct {
    const KD_VALUE *first;
    uint32_t rows;
    uint32_t columns;
} kd_pool_window;

/* What to do with one output pixel. */
typedef void kd_pool_pixel(const kd_pool_params *p, const kd_pool_window *window, KD_VALUE *out);

/* Every output pixel in order. */
static inline void kd_pool_each(
    const kd_pool_params *p, const KD_VALUE *in, KD_VALUE *out, kd_pool_pixel *pixel)
{
    for (uint32_t batch = 0; batch < p->batches; batch++) {
        int32_t y = -(int32_t)p->pad_rows;
        for (uint32_t row = 0; row < p->out_rows; row++, y += p->stride_rows) {
            int32_t first_y;
            kd_pool_window window;
            window.rows = kd_pool_clip(y, p->kernel_rows, p->in_rows, &first_y);
            int32_t x = -(int32_t)p->pad_columns;
            for (uint32_t column = 0; column < p->out_columns; column++, x += p->stride_columns) {
                int32_t first_x;
                window.columns = kd_pool_clip(x, p->kernel_columns, p->in_columns, &first_x);
                window.first = in + (first_y * p->in_columns + first_x) * p->channels;
                pixel(p, &window, out);
                out += p->channels;
            }
        }
        in += p->in_rows * p->in_columns * p->channels;
    }
}
