#include "kd_conv_s8.h"

#include <stddef.h>

#include "kd_conv_s8_window.h"
#include "kd_math.h"

/* A weight row's product with the window; n > 0. */
static int32_t dot(const int8_t *weights, const int8_t *x, int32_t n)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < n; i++) {
        sum += weights[i] * x[i];
    }
    return sum;
}

void kd_conv_s8(const kd_conv_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    kd_conv_s8_walk walk = kd_conv_s8_begin(p, in);
    for (uint32_t left = (uint32_t)p->batches * p->out_rows * p->out_columns; left > 0u; left--) {
        int8_t *pixel = out + walk.out;
        const int8_t *x = kd_conv_s8_window(p, &walk, scratch);
        const int8_t *weights = p->weights;
        for (uint32_t c = 0; c < p->out_channels; c++, weights += p->window_bytes) {
            int32_t value = p->bias[c] + dot(weights, x, p->window_bytes);
            value = kd_requant(value, p->multiplier[c], p->shift[c]) + p->out_zero;
            value = kd_clamp(value, p->low, p->high);
            pixel[c] = p->table != NULL ? p->table[value + 128] : (int8_t)value;
        }
    }
}
