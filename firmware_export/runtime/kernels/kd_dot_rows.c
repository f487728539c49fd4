#include "kd_dot_rows.h"

void kd_dot_rows(const int8_t *const rows[4], const int8_t *x, uint32_t n, int32_t sums[4])
{
    const int8_t *const a = rows[0], *const b = rows[1], *const c = rows[2], *const d = rows[3];
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
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
