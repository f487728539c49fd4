/* kd_dot_s4() with Helium, 16 columns at a time. */
#include "kd_dot_s4.h"

#include <arm_mve.h>

kd_s4_input kd_s4_prepare(const int8_t *x, uint32_t n, void *scratch)
{
    (void)scratch; /* x is multiplied as it is */
    int32_t sum = 0;
    for (uint32_t i = 0; i < n; i += 16u) {
        sum = vaddvaq_s8(sum, vldrbq_z_s8(x + i, vctp8q(n - i)));
    }
    const kd_s4_input input = {x, n, 8 * sum};
    return input;
}

void kd_dot_s4(const uint8_t *pair, const kd_s4_input *input, int32_t sums[2])
{
    const int8_t *values = input->values;
    int32_t first = -input->surplus, second = first;
    for (uint32_t i = 0; i < input->n; i += 16u) {
        const mve_pred16_t these = vctp8q(input->n - i);
        const int8x16_t x = vldrbq_z_s8(values + i, these);
        const uint8x16_t w = vldrbq_z_u8(pair + i, these);
        first = vmladavaq_s8(first, vreinterpretq_s8_u8(vandq_u8(w, vdupq_n_u8(15))), x);
        second = vmladavaq_s8(second, vreinterpretq_s8_u8(vshrq_n_u8(w, 4)), x);
    }
    sums[0] = first;
    sums[1] = second;
}
