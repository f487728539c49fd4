#include "kd_lanes_neon.h"

#include "kd_dot_rows_lanes.h"
