/* Parameters of MEAN and SUM, of either type. */
#ifndef KD_REDUCE_H
#define KD_REDUCE_H

#include <stdint.h>

#include "kd_walk.h"

typedef struct {
    kd_rows kept;        /* over the input (a; b is unused), one value for each result, in order */
    kd_rows reduced;     /* over the input from there, the values that are added up */
    int32_t sum_offset;  /* minus the zero point of all of them */
    int32_t multiplier;  /* of 2^31; a mean's holds its division */
    int32_t shift;       /* left where positive */
    int32_t offset;      /* the result's zero point */
} kd_reduce_params;

#endif /* KD_REDUCE_H */
