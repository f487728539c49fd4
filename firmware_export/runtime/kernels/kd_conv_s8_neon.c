#include "kd_lanes_neon.h"

#include "kd_conv_s8_lanes.h"
