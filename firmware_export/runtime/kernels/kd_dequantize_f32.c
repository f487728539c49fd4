#include "kd_dequantize_f32.h"

void kd_dequantize_f32(const kd_dequantize_f32_params *p, const void *in, float *out)
{
    const int8_t *narrow = in;
    const int16_t *wide = in;
    for (int32_t i = 0; i < p->count; i++) {
        const int32_t value = p->wide != 0 ? wide[i] : narrow[i];
        /* Both factors are exact in float, so this rounds once, as TFLite Micro's double product does. */
        out[i] = p->scale * (float)(value - p->zero_point);
    }
}
