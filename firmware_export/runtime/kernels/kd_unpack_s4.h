/* Weights of four bits to bytes. */
#ifndef KD_UNPACK_S4_H
#define KD_UNPACK_S4_H

#include <stdint.h>

/* n values in two's complement, the lower half of a byte first. Returns what follows in `packed`: an odd
 * last value has a byte of its own. Stack: 16 bytes. */
static inline const uint8_t *kd_unpack_s4(const uint8_t *packed, uint32_t n, int8_t *out)
{
    for (uint32_t i = 0; i < n; i++) {
        const int32_t bits = i % 2u == 0u ? *packed & 15 : *packed++ >> 4;
        out[i] = (int8_t)((bits ^ 8) - 8);
    }
    return packed + n % 2u;
}

#endif /* KD_UNPACK_S4_H */
