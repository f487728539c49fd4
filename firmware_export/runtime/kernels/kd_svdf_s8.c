#include "kd_svdf_s8.h"

#define KD_SVDF kd_svdf_s8
#define KD_STATE int8_t
#define KD_STATE_MIN INT8_MIN
#define KD_STATE_MAX INT8_MAX

#include "kd_svdf_body.h"
