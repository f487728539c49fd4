/* Lanes of WebAssembly's 128-bit vectors. */
#ifndef KD_LANES_H
#define KD_LANES_H

#include <wasm_simd128.h>

#include "kd_lanes.h"

typedef struct {
    v128_t low, high;
} kd_values;
typedef v128_t kd_sums;

static inline kd_values kd_widened(v128_t values)
{
    kd_values wide;
    wide.low = wasm_i16x8_extend_low_i8x16(values);
    wide.high = wasm_i16x8_extend_high_i8x16(values);
    return wide;
}

static inline kd_values kd_load_values(const int8_t *from)
{
    return kd_widened(wasm_v128_load(from));
}

static inline kd_values kd_load_last(const int8_t *from, uint32_t n)
{
    return kd_widened(wasm_v128_and(wasm_v128_load(from), wasm_v128_load(kd_lane_mask + n)));
}

static inline kd_values kd_load_ends(const int8_t *from, uint32_t n)
{
    kd_values wide;
    const v128_t last = wasm_v128_load64_zero(from + n - 8);
    wide.low = wasm_i16x8_load8x8(from);
    wide.high = wasm_i16x8_extend_low_i8x16(
        wasm_v128_and(last, wasm_v128_load64_zero(kd_lane_mask + n)));
    return wide;
}

static inline kd_sums kd_no_sums(void)
{
    return wasm_i32x4_splat(0);
}

static inline kd_sums kd_add_products(kd_sums sums, kd_values a, kd_values b)
{
    sums = wasm_i32x4_add(sums, wasm_i32x4_dot_i16x8(a.low, b.low));
    return wasm_i32x4_add(sums, wasm_i32x4_dot_i16x8(a.high, b.high));
}

static inline v128_t kd_pair_sums(v128_t a, v128_t b)
{
    return wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), wasm_i32x4_shuffle(a, b, 2, 6, 3, 7));
}

static inline void kd_store_sums(kd_sums a, kd_sums b, kd_sums c, kd_sums d, int32_t to[4])
{
    const v128_t ab = kd_pair_sums(a, b), cd = kd_pair_sums(c, d);
    wasm_v128_store(to, wasm_i32x4_add(wasm_i32x4_shuffle(ab, cd, 0, 1, 4, 5),
                                       wasm_i32x4_shuffle(ab, cd, 2, 3, 6, 7)));
}

#endif /* KD_LANES_H */
