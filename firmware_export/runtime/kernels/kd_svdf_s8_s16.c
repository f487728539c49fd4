#include "kd_svdf_s8_s16.h"

#define KD_SVDF kd_svdf_s8_s16
#define KD_STATE int16_t
#define KD_STATE_MIN INT16_MIN
#define KD_STATE_MAX INT16_MAX

#include "kd_svdf_body.h"
