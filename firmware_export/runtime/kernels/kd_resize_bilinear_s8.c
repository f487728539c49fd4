#include "kd_resize_bilinear_s8.h"

#include "kd_math.h"

/* Two neighbours of a place, and how far it is from the first, in 1024ths. */
typedef struct {
    int32_t first;
    int32_t second;
    int32_t far;
} kd_between;

/* place: not so far that `first` would be `size`, which the generator checks. */
static kd_between kd_neighbours(int32_t place, int32_t size)
{
    kd_between at;
    at.first = kd_max(place / 1024, 0);
    at.second = kd_min((place + 1023) / 1024, size - 1);
    at.far = place - 1024 * at.first;
    return at;
}

void kd_resize_bilinear_s8(const kd_resize_bilinear_s8_params *p, const int8_t *in, int8_t *out)
{
    const int32_t row_bytes = p->in_columns * p->channels;
    for (int32_t batch = 0; batch < p->batches; batch++) {
        for (int32_t row = 0; row < p->out_rows; row++) {
            const kd_between y = kd_neighbours(row * p->row_scale + p->row_first, p->in_rows);
            const int8_t *upper = in + y.first * row_bytes;
            const int8_t *lower = in + y.second * row_bytes;
            for (int32_t column = 0; column < p->out_columns; column++) {
                const kd_between x =
                    kd_neighbours(column * p->column_scale + p->column_first, p->in_columns);
                const int32_t left = x.first * p->channels;
                const int32_t right = x.second * p->channels;
                for (int32_t c = 0; c < p->channels; c++) {
                    const int32_t above =
                        upper[left + c] * (1024 - x.far) + upper[right + c] * x.far;
                    const int32_t below =
                        lower[left + c] * (1024 - x.far) + lower[right + c] * x.far;
                    const int32_t sum = above * (1024 - y.far) + below * y.far;
                    *out++ = (int8_t)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
                }
            }
        }
        in += p->in_rows * row_bytes;
    }
}
