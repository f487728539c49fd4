#include "kd_mul_s16.h"

#include "kd_rescale.h"

#define KD_MUL kd_mul_s16
#define KD_VALUE int16_t

#include "kd_mul_body.h"
