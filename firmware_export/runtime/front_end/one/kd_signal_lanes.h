/* How many features go through filters and resampling together: one. */
#ifndef KD_SIGNAL_LANES_H
#define KD_SIGNAL_LANES_H

#include "kd_value.h"

#define KD_LANES 1u

typedef kd_value kd_lanes;

/* The value of one of them, to read or to write. */
#define KD_LANE(lanes, lane) (lanes)

#endif /* KD_SIGNAL_LANES_H */
