#include "kd_lanes_x86.h"

#include "kd_conv_s8_lanes.h"
