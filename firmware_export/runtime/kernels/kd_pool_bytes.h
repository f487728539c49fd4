/* Two to four int8 channels of a pixel as a word, to be inlined; for `_dsp.c` files. */
#ifndef KD_POOL_BYTES_H
#define KD_POOL_BYTES_H

#include <stdint.h>
#include <string.h>

/* Four of them, the first lowest. */
static inline uint32_t kd_pool_four(const int8_t *x)
{
    uint32_t four;
    memcpy(&four, x, 4);
    return four;
}

/* The same of n, 2 or 3. */
static inline uint32_t kd_pool_bytes(const int8_t *x, uint32_t n)
{
    uint16_t half;
    memcpy(&half, x, 2);
    return n == 2u ? half : half | (uint32_t)(uint8_t)x[2] << 16;
}

#endif /* KD_POOL_BYTES_H */
