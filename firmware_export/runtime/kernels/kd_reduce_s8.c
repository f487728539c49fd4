#include "kd_reduce_s8.h"

#include "kd_rescale.h"

#define KD_REDUCE kd_reduce_s8
#define KD_VALUE int8_t
#define KD_LOW (-128)
#define KD_HIGH 127

#include "kd_reduce_body.h"
