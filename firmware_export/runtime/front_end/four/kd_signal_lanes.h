/* How many features go through filters and resampling together: four, in a vector of gcc's and clang's,
 * for a core that computes four at a time. Each of them in the order of operations of one alone. */
#ifndef KD_SIGNAL_LANES_H
#define KD_SIGNAL_LANES_H

#include "kd_value.h"

#define KD_LANES 4u

typedef kd_value kd_lanes __attribute__((vector_size(16), may_alias));

/* The value of one of them, to read or to write. */
#define KD_LANE(lanes, lane) ((lanes)[lane])

#endif /* KD_SIGNAL_LANES_H */
