#include "kd_conv_s4.h"

#include <stddef.h>

#include "kd_conv_s8_window.h"
#include "kd_dot_s4.h"
#include "kd_math.h"

/* Channel c of a pixel from its sum. */
static int8_t narrowed(const kd_conv_s4_params *p, uint32_t c, int32_t sum)
{
    const int32_t whole = p->bias[c] + sum;
    const int32_t raw = kd_requant(whole, p->multiplier[c], p->shift[c]) + p->out_zero;
    const int32_t value = kd_clamp(raw, p->low, p->high);
    return p->table != NULL ? p->table[value + 128] : (int8_t)value;
}

void kd_conv_s4(const kd_conv_s4_params *p, const int8_t *in, void *scratch, void *copy, int8_t *out)
{
    kd_conv_s8_walk walk = kd_conv_s8_begin(p, in);
    for (uint32_t left = (uint32_t)p->batches * p->out_rows * p->out_columns; left > 0u; left--) {
        int8_t *pixel = out + walk.out;
        const int8_t *window = kd_conv_s8_window(p, &walk, copy);
        const kd_s4_input x = kd_s4_prepare(window, (uint32_t)p->window_bytes, scratch);
        const uint8_t *weights = p->weights;
        for (uint32_t c = 0; c < p->out_channels; c += 2u, weights += p->window_bytes) {
            int32_t sums[2];
            kd_dot_s4(weights, &x, sums);
            for (uint32_t i = 0; i < 2u && c + i < p->out_channels; i++) {
                pixel[c + i] = narrowed(p, c + i, sums[i]);
            }
        }
    }
}
