#include "kd_softmax_s16.h"

#include "kd_rescale.h"

/* A table of 513 points over the int16 range at x, between two points on a straight line. */
static int32_t kd_on_line(const int16_t *table, int32_t x)
{
    const int16_t *at = table + 256 + (x >> 7);
    return at[0] + (((at[1] - at[0]) * (x & 127) + 64) >> 7);
}

void kd_softmax_s16(const kd_softmax_s16_params *p, const int16_t *in, int16_t *out)
{
    for (int32_t row = 0; row < p->rows; row++) {
        int32_t most = -32768;
        for (int32_t c = 0; c < p->depth; c++) {
            most = kd_max(most, in[c]);
        }
        int32_t sum = 0;
        for (int32_t c = 0; c < p->depth; c++) {
            const int32_t difference = kd_rescale(in[c] - most, p->multiplier, p->shift);
            out[c] = (int16_t)kd_on_line(p->exp, kd_clamp(difference + 32767, -32768, 32767));
            sum += out[c];
        }
        uint32_t top = (uint32_t)sum; /* its highest bit at 30 */
        int32_t right = 30;
        while (top < 0x40000000u) {
            top <<= 1;
            right--;
        }
        const int32_t place = (int32_t)((top + (1u << 13)) >> 14) - (1 << 16) - (1 << 15);
        const int32_t scale = kd_on_line(p->one_over, kd_min(place, 32767));
        for (int32_t c = 0; c < p->depth; c++) {
            const int32_t share = (out[c] * scale + (1 << (right - 1))) >> right;
            out[c] = (int16_t)kd_clamp(share, 0, 32767);
        }
        in += p->depth;
        out += p->depth;
    }
}
