/* QUANTIZE, float to int8 or int16. */
#ifndef KD_QUANTIZE_F32_H
#define KD_QUANTIZE_F32_H

#include <stdint.h>

typedef struct {
    int32_t count;
    float scale;
    int32_t zero_point;
    int32_t out_type; /* kd_integer, of 8 or 16 bits */
} kd_quantize_f32_params;

/* out = round(in / scale) + zero_point, halves away from zero, clamped to the type, as TFLite Micro's
 * QUANTIZE; what is no number becomes the smallest value. out may be in.
 * Never fails. Stack: under 48 bytes. */
void kd_quantize_f32(const kd_quantize_f32_params *p, const float *in, void *out);

#endif /* KD_QUANTIZE_F32_H */
