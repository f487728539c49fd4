#include "kd_reduce_s16.h"

#include "kd_rescale.h"

#define KD_REDUCE kd_reduce_s16
#define KD_VALUE int16_t
#define KD_LOW (-32768)
#define KD_HIGH 32767

#include "kd_reduce_body.h"
