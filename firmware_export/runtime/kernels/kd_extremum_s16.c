#include "kd_extremum_s16.h"

#define KD_EXTREMUM kd_extremum_s16
#define KD_PARAMS kd_extremum_s16_params
#define KD_VALUE int16_t

#include "kd_extremum_body.h"
