/* DEQUANTIZE, integers of 8 or 16 bits to float. */
#ifndef KD_DEQUANTIZE_F32_H
#define KD_DEQUANTIZE_F32_H

#include <stdint.h>

typedef struct {
    int32_t count;
    float scale;
    int32_t zero_point;
    int32_t in_type; /* kd_integer, of 8 or 16 bits */
} kd_dequantize_f32_params;

/* out = (in - zero_point) * scale, bit-exact with TFLite Micro's DEQUANTIZE. in and out do not overlap.
 * Never fails. Stack: under 48 bytes. */
void kd_dequantize_f32(const kd_dequantize_f32_params *p, const void *in, float *out);

#endif /* KD_DEQUANTIZE_F32_H */
