/* A window's pixels, and two to four int8 channels of one as a word, to be inlined; for `_dsp.c` files. */
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

/* Gives `take` a window's values from channel c on, as `load` reads those of a pixel x, one pixel after another.
 * It reads the local `channels`. Not a function: compilers would keep less of what is taken in registers. */
#define KD_EACH_PIXEL(p, window, c, load, take)                                                    \
    do {                                                                                           \
        const int8_t *row = (window)->first + (c);                                                 \
        for (uint32_t i = (window)->rows; i > 0u; i--) {                                           \
            const int8_t *x = row;                                                                 \
            for (uint32_t j = (window)->columns; j > 0u; j--) {                                    \
                const uint32_t bytes = (load);                                                     \
                take(bytes);                                                                       \
                x += channels;                                                                     \
            }                                                                                      \
            row += (p)->in_columns * channels;                                                     \
        }                                                                                          \
    } while (0)

#endif /* KD_POOL_BYTES_H */
