#include "kd_lanes_simd128.h"

#include "kd_conv_s8_lanes.h"
