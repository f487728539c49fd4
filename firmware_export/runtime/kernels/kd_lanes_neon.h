/* Lanes of 64-bit Arm: NEON, with SDOT if the compiler may use it. */
#ifndef KD_LANES_H
#define KD_LANES_H

#include <arm_neon.h>

#include "kd_lanes.h"

typedef int8x16_t kd_values;
typedef int32x4_t kd_sums;

static inline kd_values kd_load_values(const int8_t *from)
{
    return vld1q_s8(from);
}

static inline kd_values kd_load_last(const int8_t *from, uint32_t n)
{
    return vandq_s8(vld1q_s8(from), vld1q_s8(kd_lane_mask + n));
}

static inline kd_values kd_load_ends(const int8_t *from, uint32_t n)
{
    return vcombine_s8(vld1_s8(from), vand_s8(vld1_s8(from + n - 8), vld1_s8(kd_lane_mask + n)));
}

static inline kd_sums kd_no_sums(void)
{
    return vdupq_n_s32(0);
}

static inline kd_sums kd_add_products(kd_sums sums, kd_values a, kd_values b)
{
#if defined(__ARM_FEATURE_DOTPROD)
    return vdotq_s32(sums, a, b);
#else
    sums = vpadalq_s16(sums, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
    return vpadalq_s16(sums, vmull_high_s8(a, b));
#endif
}

static inline void kd_store_sums(kd_sums a, kd_sums b, kd_sums c, kd_sums d, int32_t to[4])
{
    vst1q_s32(to, vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)));
}

#endif /* KD_LANES_H */
