#include "kd_dequantize_f32.h"

#include "kd_integer.h"

void kd_dequantize_f32(const kd_dequantize_f32_params *p, const void *in, float *out)
{
    for (int32_t i = 0; i < p->count; i++) {
        const int32_t value = kd_integer_at(in, i, p->in_type);
        /* Both factors are exact in float, so this rounds once, as TFLite Micro's double product does. */
        out[i] = p->scale * (float)(value - p->zero_point);
    }
}
