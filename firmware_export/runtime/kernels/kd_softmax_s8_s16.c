#include "kd_softmax_s8_s16.h"

#include "kd_math.h"

#define KD_SOFTMAX kd_softmax_s8_s16
#define KD_RESULT int16_t
#define KD_BITS 16

#include "kd_softmax_body.h"
