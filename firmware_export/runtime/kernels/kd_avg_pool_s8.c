#include "kd_avg_pool_s8.h"

#include "kd_math.h"

static inline int8_t mean(int32_t sum, int32_t count)
{
    const int32_t half = count / 2;
    return (int8_t)((sum > 0 ? sum + half : sum - half) / count);
}

static int32_t window_sum(const kd_pool_s8_params *p, const kd_pool_s8_window *window, uint32_t c)
{
    const int8_t *row = window->first + c;
    int32_t sum = 0;
    for (uint32_t i = window->rows; i > 0u; i--) {
        const int8_t *x = row;
        for (uint32_t j = window->columns; j > 0u; j--) {
            sum += *x;
            x += p->channels;
        }
        row += p->in_columns * p->channels;
    }
    return sum;
}

static inline void average(
    const kd_pool_s8_params *p, const kd_pool_s8_window *window, int8_t *out)
{
    const uint32_t channels = p->channels;
    if (window->rows == 1u && window->columns == 2u) {
        /* Signals are halved more often than anything else. */
        const int8_t *x = window->first;
        for (uint32_t c = 0; c < channels; c++) {
            out[c] = mean(x[c] + x[c + channels], 2);
        }
    } else {
        const int32_t count = (int32_t)(window->rows * window->columns);
        for (uint32_t c = 0; c < channels; c++) {
            out[c] = mean(window_sum(p, window, c), count);
        }
    }
    if (p->low > INT8_MIN || p->high < INT8_MAX) {
        for (uint32_t c = 0; c < channels; c++) {
            out[c] = (int8_t)kd_clamp(out[c], p->low, p->high);
        }
    }
}

void kd_avg_pool_s8(const kd_avg_pool_s8_params *p, const int8_t *in, int8_t *out)
{
    kd_pool_s8_each(p, in, out, average);
}
