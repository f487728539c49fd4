/* The text of kd_conv_s8_window.c and its variants. Before it: copy(to, from, n) and fill(to, n, value) of
 * n bytes, 0 or more, which return the place behind them. */

/* Bytes x to x + run_bytes of a row, with in_zero for what is outside of it. Returns the place
 * behind them. */
static int8_t *run(const kd_conv_s8_params *p, const int8_t *row, int32_t x, int8_t *to)
{
    const int32_t n = p->run_bytes;
    const int32_t before = kd_clamp(-x, 0, n);
    const int32_t inside = kd_clamp(p->row_bytes - x, before, n) - before;
    to = fill(to, before, p->in_zero);
    to = copy(to, row + x + before, inside);
    return fill(to, n - before - inside, p->in_zero);
}

static void collect(const kd_conv_s8_params *p, const kd_conv_s8_walk *walk, int8_t *to)
{
    const int32_t rows = p->kernel_rows, row_step = p->row_step, row_bytes = p->row_bytes;
    int32_t y = walk->y;
    for (int32_t i = rows; i > 0; i--, y += row_step) {
        if (y < 0 || y >= p->in_rows) {
            to = fill(to, (int32_t)p->runs * p->run_bytes, p->in_zero);
            continue;
        }
        int32_t x = walk->x;
        for (uint32_t j = p->runs; j > 0u; j--, x += p->run_step) {
            to = run(p, walk->image + y * row_bytes, x, to);
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
