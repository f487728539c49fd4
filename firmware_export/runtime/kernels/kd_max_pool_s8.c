#include "kd_max_pool_s8.h"

#define KD_MAX_POOL kd_max_pool_s8
#define KD_VALUE int8_t
#define KD_LEAST INT8_MIN
#define KD_MOST INT8_MAX

#include "kd_max_pool_body.h"
