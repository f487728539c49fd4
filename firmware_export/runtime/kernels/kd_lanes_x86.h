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

static inline kd_values kd_load_ends(const int8_t *from, uint32_t n)
{
    const __m128i first = _mm_loadl_epi64((const __m128i *)(const void *)from);
    const __m128i last = _mm_loadl_epi64((const __m128i *)(const void *)(from + n - 8));
    const __m128i mask = _mm_loadl_epi64((const __m128i *)(const void *)(kd_lane_mask + n));
    return kd_widened(_mm_unpacklo_epi64(first, _mm_and_si128(last, mask)));
}

static inline __m128i kd_pair_sums(kd_sums a, kd_sums b)
{
    const __m128i x = kd_half_sums(a), y = kd_half_sums(b);
    return _mm_add_epi32(_mm_unpacklo_epi32(x, y), _mm_unpackhi_epi32(x, y));
}

static inline void kd_store_sums(kd_sums a, kd_sums b, kd_sums c, kd_sums d, int32_t to[4])
{
    const __m128i ab = kd_pair_sums(a, b), cd = kd_pair_sums(c, d);
    const __m128i all = _mm_add_epi32(_mm_unpacklo_epi64(ab, cd), _mm_unpackhi_epi64(ab, cd));
    _mm_storeu_si128((__m128i *)(void *)to, all);
}

#endif /* KD_LANES_H */
