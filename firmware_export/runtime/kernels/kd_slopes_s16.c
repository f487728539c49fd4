#include "kd_slopes_s16.h"

#include "kd_rescale.h"

void kd_slopes_s16(const kd_slopes_s16_params *p, const int16_t *in, int16_t *out)
{
    for (int32_t i = 0; i < p->count; i++) {
        const int32_t value = in[i] >= 0
                                  ? kd_rescale(in[i], p->multiplier, p->shift)
                                  : p->below_sign * kd_rescale(in[i], p->below_multiplier, p->below_shift);
        out[i] = (int16_t)kd_clamp(value, -32768, p->high);
    }
}
