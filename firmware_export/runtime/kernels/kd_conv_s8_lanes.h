/* The text of kd_conv_s8() on a phone's or computer's vectors: two pixels and four output channels at
 * a time. After a kd_lanes_….h. Weights are rows, as in the portable form. */
#include <stddef.h>

#include "kd_conv_s8.h"
#include "kd_conv_s8_window.h"
#include "kd_lanes_dot.h"
#include "kd_math.h"

/* Up to four channels of a pixel from channel c on. */
static inline void narrow(const kd_conv_s8_params *p, uint32_t c, const int32_t sums[4], int8_t *pixel)
{
    const uint32_t left = p->out_channels - c;
    const uint32_t n = left < 4u ? left : 4u;
    for (uint32_t i = 0; i < n; i++) {
        const int32_t sum = p->bias[c + i] + sums[i];
        int32_t value = kd_requant(sum, p->multiplier[c + i], p->shift[c + i]) + p->out_zero;
        value = kd_clamp(value, p->low, p->high);
        pixel[c + i] = p->table != NULL ? p->table[value + 128] : (int8_t)value;
    }
}

/* scratch: two windows. */
void kd_conv_s8(const kd_conv_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    const uint32_t n = (uint32_t)p->window_bytes, last = p->out_channels - 1u;
    const int8_t *const weights = p->weights;
    kd_conv_s8_walk walk = kd_conv_s8_begin(p, in);
    uint32_t left = (uint32_t)p->batches * p->out_rows * p->out_columns;
    while (left > 0u) {
        const int two = left > 1u && n >= KD_LEAST_VALUES;
        int8_t *const first = out + walk.out;
        const int8_t *const x = kd_conv_s8_window(p, &walk, scratch);
        int8_t *const second = out + walk.out;
        const int8_t *const y = two ? kd_conv_s8_window(p, &walk, (int8_t *)scratch + n) : x;
        for (uint32_t c = 0; c <= last; c += 4u) {
            const int8_t *rows[4];
            int32_t sums[4], others[4];
            for (uint32_t i = 0; i < 4u; i++) {
                /* Behind the last channel comes that one again. */
                rows[i] = weights + (size_t)(c + i < last ? c + i : last) * n;
            }
            if (two) {
                kd_four_rows_twice(rows, x, y, n, sums, others);
                narrow(p, c, others, second);
            } else {
                kd_four_rows(rows, x, n, sums);
            }
            narrow(p, c, sums, first);
        }
        left -= two ? 2u : 1u;
    }
}
