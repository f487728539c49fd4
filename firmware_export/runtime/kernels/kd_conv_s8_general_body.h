/* The text of kd_conv_s8_general()'s variants. Before it: dot(), the sum of n > 0 products of weights
 * with values less their zero point. */
#include <stddef.h>

#include "kd_conv_s8_general.h"
#include "kd_math.h"

/* From tap 0 on, how many taps a step apart lie before pixel `size`, of `count` from pixel `at` on;
 * *first is the first of them that does not lie before pixel 0. */
static inline uint32_t clip(int32_t at, int32_t step, uint32_t count, int32_t size, uint32_t *first)
{
    uint32_t end = 0;
    *first = 0;
    for (; end < count && at < size; end++, at += step) {
        *first += at < 0 ? 1u : 0u;
    }
    return end;
}

/* The taps of a window that lie in the input: rows first_row to rows - 1, columns alike. */
typedef struct {
    uint32_t first_row;
    uint32_t rows;
    uint32_t first_column;
    uint32_t columns;
} kd_taps;

/* One sum over the window that begins `at` bytes from the image, before it where negative. */
static int32_t window_sum(const kd_conv_s8_general_params *p, const kd_taps *in,
                          const int8_t *image, int32_t at, const int8_t *weights)
{
    const int32_t channels = p->in_channels, zero = p->in_zero;
    const uint32_t deep = p->group_channels;
    const int32_t tap_bytes = p->column_step * channels;
    const int32_t row_bytes = p->row_step * p->in_columns * channels;
    /* Taps that adjoin in the input are one run, as they are among the weights. */
    const uint32_t taps = in->columns - in->first_column;
    const int adjoin = tap_bytes == (int32_t)deep;
    const uint32_t run = adjoin ? taps * deep : deep;
    int32_t sum = 0;
    for (uint32_t i = in->first_row; i < in->rows; i++) {
        int32_t x = at + (int32_t)i * row_bytes + (int32_t)in->first_column * tap_bytes;
        const int8_t *w = weights + (i * p->kernel_columns + in->first_column) * deep;
        for (uint32_t runs = adjoin ? 1u : taps; runs > 0u; runs--) {
            sum += dot(w, image + x, run, zero);
            w += run;
            x += tap_bytes;
        }
    }
    return sum;
}

/* All output channels of the pixel whose window begins at row y, column x. */
static void one_pixel(const kd_conv_s8_general_params *p, const int8_t *image, int32_t y, int32_t x,
                      int8_t *out)
{
    const uint32_t filter_bytes = (uint32_t)p->kernel_rows * p->kernel_columns * p->group_channels;
    const int8_t *weights = p->weights;
    uint32_t left_in_group = p->group_filters;
    kd_taps in;
    in.rows = clip(y, p->row_step, p->kernel_rows, p->in_rows, &in.first_row);
    in.columns = clip(x, p->column_step, p->kernel_columns, p->in_columns, &in.first_column);
    if (in.columns <= in.first_column) {
        in.rows = 0;
    }
    int32_t at = (y * p->in_columns + x) * p->in_channels;
    for (uint32_t c = 0; c < p->out_channels; c++) {
        int32_t value = p->bias[c] + window_sum(p, &in, image, at, weights);
        value = kd_requant(value, p->multiplier[c], p->shift[c]) + p->out_zero;
        value = kd_clamp(value, p->low, p->high);
        out[c] = p->table != NULL ? p->table[value + 128] : (int8_t)value;
        weights += filter_bytes;
        if (--left_in_group == 0u) {
            left_in_group = p->group_filters;
            at += p->group_channels;
        }
    }
}

void kd_conv_s8_general(const kd_conv_s8_general_params *p, const int8_t *in, int8_t *out)
{
    int32_t place = p->out_first;
    for (uint32_t b = 0; b < p->batches; b++) {
        for (uint32_t row = 0; row < p->out_rows; row++) {
            const int32_t y = (int32_t)(row * p->stride_rows) - p->pad_rows;
            for (uint32_t column = 0; column < p->out_columns; column++) {
                const int32_t x = (int32_t)(column * p->stride_columns) - p->pad_columns;
                one_pixel(p, in, y, x, out + place);
                place += p->out_step;
            }
            place += p->out_row_gap;
        }
        in += p->in_rows * p->in_columns * p->in_channels;
    }
}
