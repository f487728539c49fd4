#include <stdint.h>

static inline int32_t dot(const int8_t *weights, const int8_t *x, uint32_t n, int32_t zero)
{
    int32_t sum = 0;
    for (; n >= 2u; n -= 2u) {
        sum += weights[0] * (x[0] - zero);
        sum += weights[1] * (x[1] - zero);
        weights += 2;
        x += 2;
    }
    return n > 0u ? sum + *weights * (*x - zero) : sum;
}

#include "kd_conv_s8_general_body.h"
