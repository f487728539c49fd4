#include "kd_softmax_s8_s16.h"

#include "kd_high_mul_dsp.h"
#include "kd_math.h"

#define KD_SOFTMAX kd_softmax_s8_s16
#define KD_RESULT int16_t
#define KD_BITS 16
#define KD_HIGH_MUL kd_high_mul_dsp
#define KD_HIGH_MUL_UPPER kd_high_mul_upper_dsp

#include "kd_softmax_body.h"
