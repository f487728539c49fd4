/* Lanes of x86-64: SSE2, which every such processor has, or AVX2 if the compiler may use it. */
#ifndef KD_LANES_H
#define KD_LANES_H

#include <immintrin.h>

#include "kd_lanes.h"

#if defined(__AVX2__)

typedef __m256i kd_values;
typedef __m256i kd_sums;

static inline kd_values kd_widened(__m128i values)
{
    return _mm256_cvtepi8_epi16(values);
}

static inline kd_sums kd_no_sums(void)
{
    return _mm256_setzero_si256();
}

static inline kd_sums kd_add_products(kd_sums sums, kd_values a, kd_values b)
{
    return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b));
}

static inline __m128i kd_half_sums(kd_sums sums)
{
    return _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
}

#else

typedef struct {
    __m128i low, high;
} kd_values;
typedef __m128i kd_sums;

static inline kd_values kd_widened(__m128i values)
{
    kd_values wide;
    wide.low = _mm_srai_epi16(_mm_unpacklo_epi8(values, values), 8);
    wide.high = _mm_srai_epi16(_mm_unpackhi_epi8(values, values), 8);
    return wide;
}

static inline kd_sums kd_no_sums(void)
{
    return _mm_setzero_si128();
}

static inline kd_sums kd_add_products(kd_sums sums, kd_values a, kd_values b)
{
    sums = _mm_add_epi32(sums, _mm_madd_epi16(a.low, b.low));
    return _mm_add_epi32(sums, _mm_madd_epi16(a.high, b.high));
}

static inline __m128i kd_half_sums(kd_sums sums)
{
    return sums;
}

#endif

static inline kd_values kd_load_values(const int8_t *from)
{
    return kd_widened(_mm_loadu_si128((const __m128i *)(const void *)from));
}

static inline kd_values kd_load_last(const int8_t *from, uint32_t n)
{
    const __m128i values = _mm_loadu_si128((const __m128i *)(const void *)from);
    const __m128i mask = _mm_loadu_si128((const __m128i *)(const void *)(kd_lane_mask + n));
    return kd_widened(_mm_and_si128(values, mask));
}

static inline void kd_store_sums(const kd_sums sums[4], int32_t to[4])
{
    const __m128i a = kd_half_sums(sums[0]), b = kd_half_sums(sums[1]);
    const __m128i c = kd_half_sums(sums[2]), d = kd_half_sums(sums[3]);
    const __m128i ab = _mm_add_epi32(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
    const __m128i cd = _mm_add_epi32(_mm_unpacklo_epi32(c, d), _mm_unpackhi_epi32(c, d));
    const __m128i all = _mm_add_epi32(_mm_unpacklo_epi64(ab, cd), _mm_unpackhi_epi64(ab, cd));
    _mm_storeu_si128((__m128i *)(void *)to, all);
}

#endif /* KD_LANES_H */
