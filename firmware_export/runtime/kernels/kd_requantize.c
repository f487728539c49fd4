#include "kd_requantize.h"

#include "kd_rescale.h"

void kd_requantize(const kd_requantize_params *p, const void *in, void *out)
{
    for (int32_t i = 0; i < p->count; i++) {
        const int32_t x = p->in_wide != 0 ? ((const int16_t *)in)[i] : ((const int8_t *)in)[i];
        const int32_t raw = kd_rescale(x + p->in_offset, p->multiplier, p->shift) + p->offset;
        if (p->out_wide != 0) {
            ((int16_t *)out)[i] = (int16_t)kd_clamp(raw, -32768, 32767);
        } else {
            ((int8_t *)out)[i] = (int8_t)kd_clamp(raw, -128, 127);
        }
    }
}
