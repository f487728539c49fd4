#include "kd_conv_s8_window.h"

#include <string.h>

static int8_t *fill(int8_t *to, const int8_t *end, int32_t value)
{
    while (to < end) {
        *to++ = (int8_t)value;
    }
    return to;
}

/* Bytes x to x + run_bytes of a row, with in_zero for what is outside of it. Returns the place
 * behind them. Word by word, because runs are short and a C library's memcpy may go by bytes. */
static int8_t *run(const kd_conv_s8_params *p, const int8_t *row, int32_t x, int8_t *to)
{
    int8_t *end = to + p->run_bytes;
    int32_t inside = p->row_bytes - x; /* bytes of the run before the row ends */
    if (x < 0) {
        to = fill(to, -x < p->run_bytes ? to - x : end, p->in_zero);
        x = 0;
        inside = p->row_bytes;
    }
    if (inside > end - to) {
        inside = (int32_t)(end - to);
    }
    const int8_t *from = row + x;
    for (; inside >= 4; inside -= 4) {
        memcpy(to, from, 4);
        to += 4;
        from += 4;
    }
    for (; inside > 0; inside--) {
        *to++ = *from++;
    }
    return fill(to, end, p->in_zero);
}

static void collect(const kd_conv_s8_params *p, const kd_conv_s8_walk *walk, int8_t *to)
{
    int32_t y = walk->y;
    for (uint32_t i = p->kernel_rows; i > 0u; i--, y += p->row_step) {
        if (y < 0 || y >= p->in_rows) {
            to = fill(to, to + (int32_t)p->runs * p->run_bytes, p->in_zero);
            continue;
        }
        int32_t x = walk->x;
        for (uint32_t j = p->runs; j > 0u; j--, x += p->run_step) {
            to = run(p, walk->image + y * p->row_bytes, x, to);
        }
    }
}

const int8_t *kd_conv_s8_any_window(
    const kd_conv_s8_params *p, kd_conv_s8_walk *walk, int8_t *copy)
{
    const int8_t *window = copy;
    if (walk->x >= 0 && walk->x <= p->last_direct) {
        window = walk->image + walk->y * p->row_bytes + walk->x;
    } else {
        collect(p, walk, copy);
    }
    walk->out += p->out_step;
    walk->x += p->x_bytes;
    if (--walk->columns == 0u) {
        walk->columns = p->out_columns;
        walk->out += p->out_row_gap;
        walk->x = p->first_x;
        walk->y += p->stride_rows;
        if (--walk->rows == 0u) {
            walk->rows = p->out_rows;
            walk->y = -(int32_t)p->pad_rows;
            walk->image += p->in_rows * p->row_bytes;
        }
    }
    return window;
}
