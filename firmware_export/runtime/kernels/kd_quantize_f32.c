#include "kd_quantize_f32.h"

#include "kd_integer.h"

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
    for (int32_t i = 0; i < p->count; i++) {
        kd_integer_put(out, i, p->out_type, kd_round(in[i] / p->scale) + p->zero_point);
    }
}
