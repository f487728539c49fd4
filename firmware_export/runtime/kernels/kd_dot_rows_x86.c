#include "kd_lanes_x86.h"

#include "kd_dot_rows_lanes.h"
