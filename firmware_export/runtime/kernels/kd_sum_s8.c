#include "kd_sum_s8.h"

#include <stddef.h>

#include "kd_rescale.h"

#define KD_SUM kd_sum_s8
#define KD_VALUE int8_t
#define KD_SUM_BITS 20
#define KD_SUM_TABLE
#define KD_HIGH_MUL kd_high_mul

#include "kd_sum_body.h"
