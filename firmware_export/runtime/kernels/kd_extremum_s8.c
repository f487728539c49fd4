#include "kd_extremum_s8.h"

#define KD_EXTREMUM kd_extremum_s8
#define KD_PARAMS kd_extremum_s8_params
#define KD_VALUE int8_t

#include "kd_extremum_body.h"
