#include "kd_max_pool_s16.h"

#define KD_MAX_POOL kd_max_pool_s16
#define KD_VALUE int16_t
#define KD_LEAST INT16_MIN
#define KD_MOST INT16_MAX

#include "kd_max_pool_body.h"
