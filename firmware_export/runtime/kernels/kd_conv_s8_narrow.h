/* From accumulator to int8 on cores with the DSP extension, for right shifts of 1 and more. */
#ifndef KD_CONV_S8_NARROW_H
#define KD_CONV_S8_NARROW_H

#include <stddef.h>
#include <stdint.h>

/* What kd_narrow() wants of a zero point. */
static inline int32_t kd_narrow_rounding(int32_t zero_point)
{
    return 2 * zero_point + 1;
}

/* requant(doubled / 2) + zero point, saturated to int8; exact while |doubled| < 2^31.
 * `shift_less_one`: right shift less one. The high product of the doubled value is the rounded
 * doubling one of the value; halves go away from zero by taking one from negative values. */
static inline int32_t kd_narrow(
    int32_t doubled, int32_t multiplier, int32_t shift_less_one, int32_t rounding)
{
    int32_t value;
    __asm__("smmulr %0, %1, %2" : "=r"(value) : "r"(doubled), "r"(multiplier));
    value = ((value + (value >> 31)) >> shift_less_one) + rounding;
    /* The Q flag may be set; nothing reads it. */
    __asm__("ssat %0, #8, %1, asr #1" : "=r"(value) : "r"(value));
    return value;
}

/* kd_narrow(), then the value that `table` has for it, if there is one: of value 0, or NULL. In one
 * piece, because compilers otherwise write all that follows twice. */
static inline int32_t kd_narrow_looked_up(int32_t doubled, int32_t multiplier,
                                          int32_t shift_less_one, int32_t rounding,
                                          const int8_t *table)
{
    int32_t value;
    __asm__("smmulr %[v], %[x], %[m]\n\t"
            "add    %[v], %[v], %[v], asr #31\n\t"
            "asr    %[v], %[v], %[s]\n\t"
            "add    %[v], %[v], %[r]\n\t"
            "ssat   %[v], #8, %[v], asr #1\n\t"
            "cbz    %[t], 1f\n\t"
            "ldrsb  %[v], [%[t], %[v]]\n"
            "1:"
            : [v] "=&r"(value)
            : [x] "r"(doubled), [m] "r"(multiplier), [s] "r"(shift_less_one), [r] "r"(rounding),
              [t] "l"(table)
            : "memory");
    return value;
}

/* Clamp and table for n values in place. */
static inline void kd_narrow_finish(
    int8_t *values, uint32_t n, int32_t low, int32_t high, const int8_t *table)
{
    if (table != NULL) {
        table += 128;
        for (; n > 0u; n--, values++) {
            *values = table[*values];
        }
    } else if (low > INT8_MIN || high < INT8_MAX) {
        for (; n > 0u; n--, values++) {
            const int32_t value = *values < low ? low : *values;
            *values = (int8_t)(value > high ? high : value);
        }
    }
}

#endif /* KD_CONV_S8_NARROW_H */
