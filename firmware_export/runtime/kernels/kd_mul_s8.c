#include "kd_mul_s8.h"

#include <stddef.h>

#include "kd_rescale.h"

#define KD_MUL kd_mul_s8
#define KD_VALUE int8_t
#define KD_MUL_TABLE

#include "kd_mul_body.h"
