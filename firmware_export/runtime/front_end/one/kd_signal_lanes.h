/* How many features go through filters and resampling together: one. */
#ifndef KD_SIGNAL_LANES_H
#define KD_SIGNAL_LANES_H

#include "kd_value.h"

#define KD_LANES 1u

typedef kd_value kd_lanes;

/* The value of one of them, to read or to write. */
#define KD_LANE(lanes, lane) (lanes)

/* Values that kd_lanes_row needs room for, of blocks of up to KD_SIGNAL_BLOCK. */
#define KD_LANES_ROW 1u

/* n values of one of them, one behind the other. row: room for them. Never fails. Stack: 0 bytes. */
static inline kd_value *kd_lanes_row(kd_lanes *block, uint32_t lane, uint32_t n, kd_value *row)
{
    (void)lane;
    (void)n;
    (void)row;
    return block;
}

#endif /* KD_SIGNAL_LANES_H */
