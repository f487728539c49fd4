#include "kd_dot_rows_s16.h"

static inline void kd_dot_part(const int8_t *weights, uint32_t pitch, const int16_t *x, uint32_t n,
                               int32_t sums[4])
{
    const int8_t *const a = weights, *const b = a + pitch, *const c = b + pitch, *const d = c + pitch;
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (uint32_t i = 0; i < n; i++) {
        const int32_t value = x[i];
        s0 += a[i] * value;
        s1 += b[i] * value;
        s2 += c[i] * value;
        s3 += d[i] * value;
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

#include "kd_dot_rows_s16_parts.h"
