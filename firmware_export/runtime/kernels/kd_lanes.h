/* What kernels for a phone's or computer's vectors share. kd_lanes_x86.h, kd_lanes_neon.h and
 * kd_lanes_simd128.h each define for theirs:
 *     kd_values   16 int8 values, ready to be multiplied
 *     kd_sums     sums of products, several lanes of one total
 *     kd_values kd_load_values(from)            the 16 values at `from`
 *     kd_values kd_load_last(from, n)           the last n of the 16 at `from`, zeros before; n: 0 to 16
 *     kd_values kd_load_ends(from, n)           the first 8 of n values, then those behind them; n: 8 to 16
 *     kd_sums   kd_no_sums()
 *     kd_sums   kd_add_products(sums, a, b)     sums + a . b
 *     void      kd_store_sums(a, b, c, d, to)   the totals of four
 * Sums wrap on the way and are exact if the total stays within 32 bits. */
#ifndef KD_LANES_COMMON_H
#define KD_LANES_COMMON_H

#include <stdint.h>

#define KD_LANES 16u /* values that are multiplied at a time */

/* From place n on: 16 - n of nothing, n times every bit. */
static const int8_t kd_lane_mask[2u * KD_LANES] = {
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};

#endif /* KD_LANES_COMMON_H */
