#include "kd_lanes_simd128.h"

#include "kd_dot_rows_lanes.h"
