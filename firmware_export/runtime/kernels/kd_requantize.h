/* QUANTIZE from integers to integers. */
#ifndef KD_REQUANTIZE_H
#define KD_REQUANTIZE_H

#include <stdint.h>

typedef struct {
    int32_t count;
    int32_t in_type;    /* kd_integer */
    int32_t out_type;
    int32_t in_offset;  /* minus the zero point */
    int32_t multiplier; /* of 2^31 */
    int32_t shift;      /* left where positive; -31 to 30 */
    int32_t offset;     /* the result's zero point */
} kd_requantize_params;

/* out = clamp(requant(in + in_offset) + offset), bit-exact with TFLite Micro's QUANTIZE; what leaves 32
 * bits on the way wraps, as there. out may be in where its type is not wider.
 * Never fails. Stack: under 64 bytes. */
void kd_requantize(const kd_requantize_params *p, const void *in, void *out);

#endif /* KD_REQUANTIZE_H */
