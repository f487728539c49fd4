/* MAXIMUM and MINIMUM of int16 tensors. */
#ifndef KD_EXTREMUM_S16_H
#define KD_EXTREMUM_S16_H

#include "kd_walk.h"

typedef struct {
    kd_rows rows;    /* over a and b, in values; the result is written in order */
    int32_t minimum; /* 1: the smaller of both, 0: the larger */
} kd_extremum_s16_params;

/* out = the larger or the smaller quantised value, as TFLite Micro's MAXIMUM and MINIMUM, which do not
 * look at scales. out may be a or b where that one is walked over in order.
 * Never fails. Stack: under 96 bytes. */
void kd_extremum_s16(const kd_extremum_s16_params *p, const int16_t *a, const int16_t *b, int16_t *out);

#endif /* KD_EXTREMUM_S16_H */
