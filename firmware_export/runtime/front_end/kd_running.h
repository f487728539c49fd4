/* The running normaliser: a wearer's own mean and deviation in place of the training part's.
 *
 * A channel's values come in the training part's units, z = (x - mean) * scale. A window first moves
 * the state, then is normalised by it. The state is IEEE 754 float32, in one order of operations: bit
 * for bit what kd_edge/base/running.py computes, which has the formulas. */
#ifndef KD_RUNNING_H
#define KD_RUNNING_H

#include <stdbool.h>
#include <stdint.h>

#include "kd_value.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kd_running {
    uint32_t weight_windows; /* that the training part's statistics count for; with 0, a state that
                              * windows have moved is theirs alone */
    uint32_t memory_windows; /* of a wearer that count in full, at least 1 */
    float least_variance;    /* of z, above 0 */
#if KD_FIXED
    float last_bit;          /* of z */
    float last_square;       /* of what is summed of z * z */
    float one;               /* 1 as z has it */
    float root_one;          /* 1 as 1 / deviation has it: 2^root_bits */
    int32_t root_bits;       /* 1 to 30 */
#endif
} kd_running;

/* What is known of a wearer, one a channel. */
typedef struct kd_running_state {
    float mean;       /* of z */
    float square;     /* mean of z * z */
    uint32_t windows; /* behind them, at most memory_windows */
} kd_running_state;

/* The state of a board that was just put on. Never fails. Stack: 0 bytes. */
void kd_running_reset(kd_running_state *state);

/* Whether a state that comes from outside is one that windows can lead to: a mean below 1e15, and a
 * mean square that is no smaller than the mean's, but for rounding. Never fails. Stack: 0 bytes. */
bool kd_running_is_possible(const kd_running_state *state);

/* Moves the state by a window of one channel, given the sums of its values and of their squares.
 * count: of values, at least 1. Never fails. Stack: 0 bytes. */
void kd_running_add(const kd_running *running, kd_running_state *state, float sum, float squares,
                    uint32_t count);

/* Moves the state by a window of one channel. z: count values, at least 1.
 * Never fails. Stack: 8 bytes. */
void kd_running_move(const kd_running *running, kd_running_state *state, const kd_value *z,
                     uint32_t count);

/* z = (z - mean) / deviation, in place. Never fails. Stack: 60 bytes. */
void kd_running_normalise(const kd_running *running, const kd_running_state *state, kd_value *z,
                          uint32_t count);

/* 1 / sqrt(x), by four of Newton's steps from an estimate in integers. x: above 0, finite.
 * Never fails. Stack: 0 bytes. */
float kd_inverse_root(float x);

#ifdef __cplusplus
}
#endif

#endif /* KD_RUNNING_H */
