/* How many features go through filters and resampling together: four, in a vector of gcc's and clang's,
 * for a core that computes four at a time. Each of them in the order of operations of one alone. */
#ifndef KD_SIGNAL_LANES_H
#define KD_SIGNAL_LANES_H

#include "kd_value.h"

#define KD_LANES 4u

typedef kd_value kd_lanes __attribute__((vector_size(16), may_alias));

/* The value of one of them, to read or to write. */
#define KD_LANE(lanes, lane) ((lanes)[lane])

/* Values that kd_lanes_row needs room for, of blocks of up to KD_SIGNAL_BLOCK. */
#define KD_LANES_ROW 64u

/* n values of one of them, one behind the other. row: room for them. Never fails. Stack: 0 bytes. */
static inline kd_value *kd_lanes_row(kd_lanes *block, uint32_t lane, uint32_t n, kd_value *row)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        row[i] = KD_LANE(block[i], lane);
    }
    return row;
}

#endif /* KD_SIGNAL_LANES_H */
