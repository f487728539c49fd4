/* ARG_MAX of an int8 tensor. */
#ifndef KD_ARG_MAX_S8_H
#define KD_ARG_MAX_S8_H

#include <stdint.h>

typedef struct {
    int32_t outer; /* product of the axes before the one searched */
    int32_t count; /* values along it */
    int32_t inner; /* product of the axes behind it */
} kd_arg_max_s8_params;

/* out = place of the largest value along the axis, the first of equal ones.
 * Never fails. Stack: under 64 bytes. */
void kd_arg_max_s8(const kd_arg_max_s8_params *p, const int8_t *in, int32_t *out);

#endif /* KD_ARG_MAX_S8_H */
