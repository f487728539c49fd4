#include <stddef.h>

#include "kd_high_mul_dsp.h"
#include "kd_rescale.h"
#include "kd_sum_s8.h"

#define KD_SUM kd_sum_s8
#define KD_VALUE int8_t
#define KD_SUM_BITS 20
#define KD_SUM_TABLE
#define KD_HIGH_MUL kd_high_mul_dsp

#include "kd_sum_body.h"
