#include "kd_conv_s8_narrow.h"
#include "kd_dot_packed.h"
#include "kd_fc_packed_s8.h"

void kd_fc_packed_s8(const kd_fc_packed_s8_params *p, const int8_t *x, int8_t *out,
                     uint32_t *scratch)
{
    const int32_t rounding = kd_narrow_rounding(p->zero_point);
    const uint32_t by = p->by_row != 0u ? 2u : 0u;
    int8_t *first = out;
    for (uint32_t batch = p->batches; batch > 0u; batch--) {
        const kd_packed_input input = kd_widen_s8(x, p->columns, scratch);
        const uint32_t *weights = p->weights;
        const int32_t *scale = p->scales;
        const int8_t *end = out + p->rows;
        do {
            int32_t sums[4];
            weights = kd_dot_packed(weights, &input, sums);
            /* Doubled, for kd_narrow(). */
            const int32_t a = sums[0] >> 7, b = 2 * sums[1], c = sums[2] >> 7, d = 2 * sums[3];
            *out++ = (int8_t)kd_narrow(a, scale[0], scale[1], rounding);
            scale += by;
            if (out == end) {
                break;
            }
            *out++ = (int8_t)kd_narrow(b, scale[0], scale[1], rounding);
            scale += by;
            if (out == end) {
                break;
            }
            *out++ = (int8_t)kd_narrow(c, scale[0], scale[1], rounding);
            scale += by;
            if (out == end) {
                break;
            }
            *out++ = (int8_t)kd_narrow(d, scale[0], scale[1], rounding);
            scale += by;
        } while (out < end);
        x += p->columns;
    }
    kd_narrow_finish(first, (uint32_t)(out - first), p->low, p->high, p->table);
}
