#include "kd_dot_rows_s16.h"

/* s += the four weights at `address` times the values of columns 0 and 2, 1 and 3. */
#define ROW(s, address)                      \
    "ldr %[w], " address "\n\t"              \
    "sxtb16 %[w13], %[w], ror #8\n\t"        \
    "sxtb16 %[w], %[w]\n\t"                  \
    "smlad %[" s "], %[w], %[x02], %[" s "]\n\t" \
    "smlad %[" s "], %[w13], %[x13], %[" s "]\n\t"

/* Four columns a round: 26 instructions for 16 multiply-accumulates. In assembler because compilers
 * run out of registers. */
static inline void kd_dot_part(const int8_t *weights, uint32_t pitch, const int16_t *x, uint32_t n,
                               int32_t sums[4])
{
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    if (n >= 4u) {
        uint32_t w, w13, x02, x13;
        __asm__("1:\n\t"
                "ldr %[w], [%[x]], #4\n\t"
                "ldr %[x13], [%[x]], #4\n\t"
                "pkhbt %[x02], %[w], %[x13], lsl #16\n\t"
                "pkhtb %[x13], %[x13], %[w], asr #16\n\t"
                ROW("s1", "[%[a], %[pitch]]")
                ROW("s2", "[%[a], %[pitch], lsl #1]")
                ROW("s3", "[%[a], %[thrice]]")
                ROW("s0", "[%[a]], #4")
                "cmp %[x], %[end]\n\t"
                "bne 1b"
                : [a] "+r"(weights), [x] "+r"(x), [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2),
                  [s3] "+r"(s3), [w] "=&r"(w), [w13] "=&r"(w13), [x02] "=&r"(x02), [x13] "=&r"(x13)
                : [pitch] "r"(pitch), [thrice] "r"(3u * pitch), [end] "r"(x + (n & ~3u))
                : "cc", "memory");
    }
    for (uint32_t i = 0; i < (n & 3u); i++) {
        const int32_t value = x[i];
        s0 += weights[i] * value;
        s1 += weights[pitch + i] * value;
        s2 += weights[2u * pitch + i] * value;
        s3 += weights[3u * pitch + i] * value;
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

#include "kd_dot_rows_s16_parts.h"
