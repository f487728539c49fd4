#include "kd_softmax_s8.h"

#include "kd_math.h"

#define KD_SOFTMAX kd_softmax_s8
#define KD_RESULT int8_t
#define KD_BITS 8

#include "kd_softmax_body.h"
