/* From accumulator to int8 on cores with the DSP extension, for right shifts of 1 and more. */
#ifndef KD_CONV_S8_NARROW_H
#define KD_CONV_S8_NARROW_H

#include <stddef.h>
#include <stdint.h>

/* What all values of a tensor have in common. */
typedef struct {
    const int8_t *table; /* of value 0, or NULL */
    int32_t rounding;    /* 2 * zero point + 1 */
    int32_t low;
    int32_t high;
    int32_t plain;       /* neither table nor clamp: the common case */
} kd_narrow;

static inline kd_narrow kd_narrow_for(
    int32_t out_zero, int32_t low, int32_t high, const int8_t *table)
{
    const kd_narrow to = {
        table == NULL ? NULL : table + 128, 2 * out_zero + 1, low, high,
        table == NULL && low == INT8_MIN && high == INT8_MAX};
    return to;
}

/* requant(doubled / 2) + zero point, clamped, looked up; exact while |doubled| < 2^31.
 * `shift_less_one`: right shift less one. The high product of the doubled value is the rounded
 * doubling one of the value; halves go away from zero by taking one from negative values. */
static inline int8_t kd_narrow_to_s8(
    int32_t doubled, int32_t multiplier, int32_t shift_less_one, const kd_narrow *to)
{
    int32_t value;
    __asm__("smmulr %0, %1, %2" : "=r"(value) : "r"(doubled), "r"(multiplier));
    value = ((value + (value >> 31)) >> shift_less_one) + to->rounding;
    __asm__("ssat %0, #8, %1, asr #1" : "=r"(value) : "r"(value) : "cc");
    if (!to->plain) {
        if (to->table != NULL) {
            return to->table[value];
        }
        value = value < to->low ? to->low : value;
        value = value > to->high ? to->high : value;
    }
    return (int8_t)value;
}

#endif /* KD_CONV_S8_NARROW_H */
