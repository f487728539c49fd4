#include "kd_depthwise_s8.h"

#include "kd_depthwise_s8_taps.h"
#include "kd_math.h"

/* Weights: [channel][tap]. */
static inline void one_pixel(
    const kd_depthwise_s8_params *p, const int8_t *const *taps, int8_t *out)
{
    const uint32_t n = (uint32_t)p->kernel_rows * p->kernel_columns;
    const int8_t *weights = p->weights;
    for (uint32_t c = 0; c < p->channels; c++) {
        int32_t value = p->bias[c];
        for (uint32_t i = 0; i < n; i++) {
            value += *weights++ * taps[i][c];
        }
        value = kd_requant(value, p->multiplier[c], p->shift[c]) + p->out_zero;
        value = kd_clamp(value, p->low, p->high);
        out[c] = p->table != NULL ? p->table[value + 128] : (int8_t)value;
    }
}

void kd_depthwise_s8(const kd_depthwise_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    kd_depthwise_s8_each(p, in, scratch, out, one_pixel);
}
