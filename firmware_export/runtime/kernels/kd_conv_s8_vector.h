/* From accumulators to int8 with Helium, four at a time. */
#ifndef KD_CONV_S8_VECTOR_H
#define KD_CONV_S8_VECTOR_H

#include <arm_mve.h>
#include <stddef.h>
#include <stdint.h>

/* Constants of four output channels and what all have in common. */
typedef struct {
    int32x4_t multiplier;
    int32x4_t shift; /* left where positive */
    int32_t zero_point;
    int32_t low;
    int32_t high;
    const int8_t *table; /* or NULL */
} kd_vector_narrow;

/* requant(value) + zero point, clamped, looked up: as kd_requant() does it, the two roundings being
 * those of VQRDMULH and, with one taken from negative values before, of VRSHL. */
static inline int32x4_t kd_narrow_vector(int32x4_t value, const kd_vector_narrow *to)
{
    const int32x4_t right = vminq_s32(to->shift, vdupq_n_s32(0));
    value = vshlq_s32(value, vmaxq_s32(to->shift, vdupq_n_s32(0)));
    value = vqrdmulhq_s32(value, to->multiplier);
    value = vqaddq_s32(value, vshrq_n_s32(vandq_s32(value, right), 31));
    value = vrshlq_s32(value, right);
    value = vaddq_n_s32(value, to->zero_point);
    value = vmaxq_s32(value, vdupq_n_s32(to->low));
    value = vminq_s32(value, vdupq_n_s32(to->high));
    if (to->table != NULL) {
        const uint32x4_t at = vreinterpretq_u32_s32(vaddq_n_s32(value, 128));
        value = vldrbq_gather_offset_s32(to->table, at);
    }
    return value;
}

#endif /* KD_CONV_S8_VECTOR_H */
