#include "kd_sum_s16.h"

#include "kd_rescale.h"

#define KD_SUM kd_sum_s16
#define KD_VALUE int16_t
#define KD_SUM_BITS 15
#define KD_HIGH_MUL kd_high_mul

#include "kd_sum_body.h"
