#include "kd_quantize_f32.h"

#include "kd_math.h"

/* Rounded, halves away from zero; the whole numbers beyond 2^20 are all the same after clamping. */
static int32_t kd_round(float x)
{
    if (!(x > -1048576.0f)) {
        return -1048576;
    }
    if (x > 1048576.0f) {
        return 1048576;
    }
    const int32_t whole = (int32_t)x;
    const float rest = x - (float)whole; /* exact */
    return whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
}

void kd_quantize_f32(const kd_quantize_f32_params *p, const float *in, void *out)
{
    int8_t *narrow = out;
    int16_t *wide = out;
    for (int32_t i = 0; i < p->count; i++) {
        const int32_t value = kd_round(in[i] / p->scale) + p->zero_point;
        if (p->wide != 0) {
            wide[i] = (int16_t)kd_clamp(value, -32768, 32767);
        } else {
            narrow[i] = (int8_t)kd_clamp(value, -128, 127);
        }
    }
}
