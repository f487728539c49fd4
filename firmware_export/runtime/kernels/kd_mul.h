/* Parameters of MUL, of either type. */
#ifndef KD_MUL_H
#define KD_MUL_H

#include <stdint.h>

#include "kd_walk.h"

typedef struct {
    kd_rows rows;        /* over a and b, in values; the result is written in order */
    int32_t a_offset;    /* minus the zero point */
    int32_t b_offset;
    int32_t multiplier;  /* of 2^31 */
    int32_t shift;       /* left where positive; -31 to 13 */
    int32_t offset;      /* the result's zero point */
    int32_t low;         /* clamp, both ends included */
    int32_t high;
    const int8_t *table; /* 256 values that replace value + 128 after clamping (int8); or NULL */
} kd_mul_params;

#endif /* KD_MUL_H */
