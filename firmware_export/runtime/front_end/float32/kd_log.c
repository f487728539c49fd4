#include "kd_log.h"

#include <stdint.h>
#include <string.h>

/* Each operation is rounded by itself: no fused multiply-add. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

/* x = m 2^e with m from sqrt(1/2) to sqrt(2), and with s = (m - 1) / (m + 1)
 * ln m = 2 artanh s = 2 (s + s^3 / 3 + s^5 / 5 + ...). */
float kd_log(float x)
{
    uint32_t bits;
    int32_t exponent;
    float m, s, z, series;

    memcpy(&bits, &x, sizeof bits);
    exponent = (int32_t)(bits >> 23) - 127;
    bits = (bits & 0x7fffffu) | 0x3f800000u;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.41421356f) {
        m *= 0.5f;
        exponent++;
    }
    s = (m - 1.0f) / (m + 1.0f);
    z = s * s;
    series = z * (1.0f / 9.0f) + (1.0f / 7.0f);
    series = series * z + (1.0f / 5.0f);
    series = series * z + (1.0f / 3.0f);
    series = series * z * s + s;
    return (float)exponent * 0.693147181f + (series + series);
}
