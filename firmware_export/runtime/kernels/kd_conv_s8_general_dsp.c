/* kd_conv_s8_general() for cores with the DSP extension: four products at a time. */
#include <stdint.h>
#include <string.h>

static inline int32_t dot(const int8_t *weights, const int8_t *x, uint32_t n, int32_t zero)
{
    const uint32_t less_zero = ((uint32_t)-zero & 0xffffu) * 0x10001u;
    int32_t sum = 0;
    for (; n >= 4u; n -= 4u) {
        uint32_t w, v, even, odd;
        memcpy(&w, weights, 4);
        memcpy(&v, x, 4);
        weights += 4;
        x += 4;
        __asm__("sxtb16 %0, %1" : "=r"(even) : "r"(w));
        __asm__("sxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(w));
        __asm__("sxtab16 %0, %1, %2" : "=r"(w) : "r"(less_zero), "r"(v));
        __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(v) : "r"(less_zero), "r"(v));
        __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(even), "r"(w));
        __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(odd), "r"(v));
    }
    for (; n > 0u; n--) {
        sum += *weights++ * (*x++ - zero);
    }
    return sum;
}

#include "kd_conv_s8_general_body.h"
