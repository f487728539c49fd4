/* Parameters of ADD and SUB, of either type. */
#ifndef KD_SUM_H
#define KD_SUM_H

#include <stdint.h>

#include "kd_walk.h"

/* Each operand is brought to half of the larger of both scales, times 2^20 (int16: 2^15). */
typedef struct {
    kd_rows rows;         /* over a and b, in values; the result is written in order */
    int32_t a_offset;     /* minus the zero point */
    int32_t a_multiplier; /* of 2^31 */
    int32_t a_right;      /* bits to shift right after it, 0 to 31 */
    int32_t b_offset;
    int32_t b_multiplier;
    int32_t b_right;
    int32_t multiplier;
    int32_t right;
    int32_t offset;       /* the result's zero point */
    int32_t low;          /* clamp, both ends included */
    int32_t high;
    int32_t sign;         /* of b: 1 for ADD, -1 for SUB */
    const int8_t *table;  /* 256 values that replace value + 128 after clamping (int8); or NULL */
} kd_sum_params;

#endif /* KD_SUM_H */
