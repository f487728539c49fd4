/* ADD and SUB of many int8 values: one operand is rescaled by a table that is made first. */
#ifndef KD_SUM_TABLE_S8_H
#define KD_SUM_TABLE_S8_H

#include <stdint.h>

#include "kd_walk.h"

/* TFLite brings both operands to half of the larger scale, times 2^20: the one that has this scale, a,
 * is multiplied by 2^19, exactly. */
typedef struct {
    kd_rows rows;         /* over a and b, in values; the result is written in order */
    int32_t a_factor;     /* 2^19, or less than 0 where a is subtracted */
    int32_t a_add;        /* minus a's zero point, times that */
    int32_t b_offset;     /* minus the zero point */
    int32_t b_multiplier; /* of 2^31 */
    int32_t b_right;      /* bits to shift right after it, 0 to 31 */
    int32_t b_sign;       /* 1, or -1 where b is subtracted */
    int32_t multiplier;   /* of the sum */
    int32_t right;
    int32_t offset;       /* the result's zero point */
    int8_t low;           /* clamp, both ends included; the whole range where a table is */
    int8_t high;
    const int8_t *table;  /* 256 values that replace value + 128; or NULL */
} kd_sum_table_s8_params;

/* out = a + b or their difference, each rescaled, bit-exact with TFLite Micro's ADD and SUB.
 * terms: 256 words of scratch. out may be a or b where that one is walked over in order. Never fails.
 * Stack: under 128 bytes. */
void kd_sum_table_s8(const kd_sum_table_s8_params *p, const int8_t *a, const int8_t *b,
                     int32_t *terms, int8_t *out);

#endif /* KD_SUM_TABLE_S8_H */
