/* From accumulators to int8 with Helium, four at a time. */
#ifndef KD_CONV_S8_VECTOR_H
#define KD_CONV_S8_VECTOR_H

#include <arm_mve.h>
#include <stddef.h>
#include <stdint.h>

/* Constants of four output channels. */
typedef struct {
    int32x4_t multiplier;
    int32x4_t left;  /* shifts, 0 or more */
    int32x4_t right; /* 0 or less */
} kd_vector_scale;

static inline kd_vector_scale kd_vector_scale_of(int32x4_t multiplier, int32x4_t shift)
{
    const int32x4_t zero = vdupq_n_s32(0);
    const kd_vector_scale scale = {multiplier, vmaxq_s32(shift, zero), vminq_s32(shift, zero)};
    return scale;
}

/* requant(value) as kd_requant() does it, the two roundings being those of VQRDMULH and, with one
 * taken from negative values before, of VRSHL. */
static inline int32x4_t kd_vector_requant(int32x4_t value, const kd_vector_scale *by)
{
    value = vqrdmulhq_s32(vshlq_s32(value, by->left), by->multiplier);
    value = vqaddq_s32(value, vshrq_n_s32(vandq_s32(value, by->right), 31));
    return vrshlq_s32(value, by->right);
}

#endif /* KD_CONV_S8_VECTOR_H */
