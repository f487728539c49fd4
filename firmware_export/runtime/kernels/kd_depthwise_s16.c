#include "kd_depthwise_s16.h"

/* Kernel pixels along one direction that lie in the input. */
typedef struct {
    int32_t first;
    int32_t end; /* behind the last */
} span;

/* `at`: of the first kernel pixel, in the padding where negative; size: of the input. */
static span inside(int32_t at, int32_t kernel, int32_t step, int32_t size)
{
    span result;
    result.first = at < 0 ? (-at + step - 1) / step : 0;
    result.end = at < size ? kd_min((size - at + step - 1) / step, kernel) : 0;
    return result;
}

/* All channels of the pixel whose window begins at row y, column x. */
static void one_pixel(const kd_depthwise_s16_params *p, const int16_t *image, int32_t y, int32_t x,
                      int16_t *out)
{
    const span rows = inside(y, p->kernel_rows, p->row_step, p->in_rows);
    const span columns = inside(x, p->kernel_columns, p->column_step, p->in_columns);
    const int32_t pitch = p->in_columns * p->channels;
    const int32_t step = p->column_step * p->channels;
    const int8_t *filter = p->weights;
    for (uint32_t c = 0; c < p->channels; c++) {
        int64_t sum = 0;
        for (int32_t i = rows.first; i < rows.end; i++) {
            const int32_t row = (y + i * p->row_step) * pitch + x * p->channels;
            const int8_t *weights = filter + i * p->kernel_columns;
            int32_t part = 0;
            for (int32_t j = columns.first; j < columns.end; j++) {
                part += weights[j] * image[row + j * step];
            }
            sum += part;
        }
        out[c] = kd_to_s16(&p->narrow, c, sum);
        filter += p->kernel_rows * p->kernel_columns;
        image++;
    }
}

void kd_depthwise_s16(const kd_depthwise_s16_params *p, const int16_t *in, int16_t *out)
{
    for (uint32_t b = 0; b < p->batches; b++) {
        int32_t y = -(int32_t)p->pad_rows;
        for (uint32_t row = 0; row < p->out_rows; row++, y += p->stride_rows) {
            int32_t x = -(int32_t)p->pad_columns;
            for (uint32_t column = 0; column < p->out_columns; column++, x += p->stride_columns) {
                one_pixel(p, in, y, x, out);
                out += p->channels;
            }
        }
        in += p->in_rows * p->in_columns * p->channels;
    }
}
