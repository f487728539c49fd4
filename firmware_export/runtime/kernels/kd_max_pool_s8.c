#include "kd_max_pool_s8.h"

#include "kd_math.h"

static inline void maximum(
    const kd_pool_s8_params *p, const kd_pool_s8_window *window, int8_t *out)
{
    const uint32_t channels = p->channels;
    const int8_t *row = window->first;
    for (uint32_t c = 0; c < channels; c++) {
        out[c] = (int8_t)kd_max(row[c], p->low);
    }
    for (uint32_t i = window->rows; i > 0u; i--) {
        const int8_t *x = row;
        for (uint32_t j = window->columns; j > 0u; j--) {
            for (uint32_t c = 0; c < channels; c++) {
                out[c] = x[c] > out[c] ? x[c] : out[c];
            }
            x += channels;
        }
        row += p->in_columns * channels;
    }
    if (p->high < INT8_MAX) {
        for (uint32_t c = 0; c < channels; c++) {
            out[c] = (int8_t)kd_min(out[c], p->high);
        }
    }
}

void kd_max_pool_s8(const kd_max_pool_s8_params *p, const int8_t *in, int8_t *out)
{
    kd_pool_s8_each(p, in, out, maximum);
}
