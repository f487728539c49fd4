#include "kd_conv_s16.h"

#include <string.h>

/* Copies the run of kernel pixels that begins at column x of a row; NULL is a row outside. */
static int16_t *copy_run(const kd_conv_s16_params *p, const int16_t *row, int32_t x, int16_t *to)
{
    const int32_t run = row != NULL ? p->run_columns : 0;
    const int32_t first = kd_clamp(-x, 0, run);
    const int32_t last = kd_clamp(p->in_columns - x, first, run);
    const size_t channels = p->group_channels;
    const size_t values = p->run_columns * channels;
    if (last - first < p->run_columns) {
        memset(to, 0, values * sizeof *to);
    }
    if (last > first) {
        memcpy(to + (size_t)first * channels, row + (x + first) * p->in_channels,
               (size_t)(last - first) * channels * sizeof *to);
    }
    return to + values;
}

/* The window at row y, column x of an image that begins with the group's first channel: in the image
 * where it adjoins there, else copied. */
static const int16_t *window(const kd_conv_s16_params *p, const int16_t *image, int32_t y, int32_t x,
                             int16_t *scratch)
{
    const int32_t pitch = p->in_columns * p->in_channels;
    const int inside = y >= 0 && y < p->in_rows && x >= 0 && x + p->run_columns <= p->in_columns;
    if (inside && p->kernel_rows == 1u && p->runs == 1u) {
        return image + y * pitch + x * p->in_channels;
    }
    int16_t *to = scratch;
    for (uint32_t i = 0; i < p->kernel_rows; i++, y += p->row_step) {
        const int16_t *row = y >= 0 && y < p->in_rows ? image + y * pitch : NULL;
        int32_t column = x;
        for (uint32_t j = 0; j < p->runs; j++, column += p->column_step) {
            to = copy_run(p, row, column, to);
        }
    }
    return scratch;
}

void kd_conv_s16(const kd_conv_s16_params *p, const int16_t *in, int16_t *scratch, int16_t *out)
{
    int32_t place = p->out_first;
    for (uint32_t b = 0; b < p->batches; b++) {
        int32_t y = -p->pad_rows;
        for (uint32_t row = 0; row < p->out_rows; row++, y += p->stride_rows) {
            int32_t x = -p->pad_columns;
            for (uint32_t column = 0; column < p->out_columns; column++, x += p->stride_columns) {
                for (uint32_t g = 0; g < p->groups; g++) {
                    const uint32_t first = g * p->group_filters;
                    const int16_t *values = window(p, in + g * p->group_channels, y, x, scratch);
                    kd_matvec_s16(&p->matrix, first, p->group_filters, values,
                                  out + place + (int32_t)first);
                }
                place += p->out_step;
            }
            place += p->out_row_gap;
        }
        in += p->in_rows * p->in_columns * p->in_channels;
    }
}
