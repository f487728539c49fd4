/* Logistic and tanh of 16-bit fixed point by interpolation, bit-exact with TFLite Micro's int16 kernels.
 * table: 257 values of 65536 * sigmoid(i / 24) - 32768, made by firmware_export/aot/sigmoid_table.py. */
#ifndef KD_SIGMOID_TABLE_H
#define KD_SIGMOID_TABLE_H

#include <stdint.h>

#include "kd_math.h"

/* 32768 * sigmoid(x / 12288); x is -130559 to 130559. Returns 0 to 32767. */
static inline int32_t kd_sigmoid_q15(const int16_t *table, int32_t x)
{
    const int32_t sign = x >> 31;
    const int32_t a = (x ^ sign) - sign;
    const int16_t *at = table + (a >> 9);
    const int32_t above_half = at[0] * 512 + (a & 511) * (at[1] - at[0]);
    return ((above_half ^ sign) + (1 << 24) + 512) >> 10;
}

/* 32768 * tanh(x / 12288); x is any but INT32_MIN. Returns -32767 to 32767. */
static inline int32_t kd_tanh_q15(const int16_t *table, int32_t x)
{
    const int32_t sign = x >> 31;
    /* The last two entries are equal: from 65280 on the answer stays the same. */
    const int32_t a = kd_min((x ^ sign) - sign, 65535);
    const int16_t *at = table + (a >> 8);
    const int32_t above_zero = at[0] * 256 + (a & 255) * (at[1] - at[0]);
    return ((above_zero ^ sign) + 128) >> 8;
}

#endif /* KD_SIGMOID_TABLE_H */
