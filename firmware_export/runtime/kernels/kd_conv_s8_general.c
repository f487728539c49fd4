#include "kd_conv_s8_general.h"

#include <stddef.h>

#include "kd_math.h"

/* One sum over the window at row y, column x; `image` begins with the group's first channel. */
static int32_t window_sum(const kd_conv_s8_general_params *p, const int8_t *image,
                          const int8_t *weights, int32_t y, int32_t x)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < p->kernel_rows; i++, y += p->row_step) {
        int32_t column = x;
        for (uint32_t j = 0; j < p->kernel_columns; j++, column += p->column_step) {
            if (y >= 0 && y < p->in_rows && column >= 0 && column < p->in_columns) {
                const int8_t *pixel = image + (y * p->in_columns + column) * p->in_channels;
                for (uint32_t c = 0; c < p->group_channels; c++) {
                    sum += weights[c] * (pixel[c] - p->in_zero);
                }
            }
            weights += p->group_channels;
        }
    }
    return sum;
}

/* All output channels of the pixel whose window begins at row y, column x. */
static void one_pixel(const kd_conv_s8_general_params *p, const int8_t *image, int32_t y, int32_t x,
                      int8_t *out)
{
    const int32_t filter_bytes = p->kernel_rows * p->kernel_columns * p->group_channels;
    const int8_t *weights = p->weights;
    uint32_t left_in_group = p->group_filters;
    for (uint32_t c = 0; c < p->out_channels; c++) {
        int32_t value = p->bias[c] + window_sum(p, image, weights, y, x);
        value = kd_requant(value, p->multiplier[c], p->shift[c]) + p->out_zero;
        value = kd_clamp(value, p->low, p->high);
        out[c] = p->table != NULL ? p->table[value + 128] : (int8_t)value;
        weights += filter_bytes;
        if (--left_in_group == 0u) {
            left_in_group = p->group_filters;
            image += p->group_channels;
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
