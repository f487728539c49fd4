/* The roll of a band around the limb: what gravity says of it.
 *
 * The mean of the accelerometer along the two axes across the limb, over a wearer's windows, has the
 * band's angle. In IEEE 754 float32 and one order of operations: bit for bit what kd_edge/base/roll.py
 * computes, which has the formulas. */
#ifndef KD_ROLL_H
#define KD_ROLL_H

#include <stdint.h>

#include "kd_running.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Cosine and sine of the band's angle. */
typedef struct kd_turn {
    float cosine, sine;
} kd_turn;

/* Moves the state of gravity along one axis by a window: count samples, at least 1, `stride` apart.
 * memory_windows: that count in full, at least 1. Never fails. Stack: 24 bytes. */
void kd_roll_move(kd_running_state *state, uint32_t memory_windows, const int16_t *sample,
                  uint32_t count, uint32_t stride);

/* The angle of gravity's mean along both axes; none where it has no direction across the limb.
 * Never fails. Stack: 32 bytes. */
kd_turn kd_roll_turn(const kd_running_state *first, const kd_running_state *second);

/* How many places a ring has turned. directions: cosine and sine of each of its places.
 * Returns a number below size. Never fails. Stack: 8 bytes. */
uint32_t kd_roll_places(kd_turn turn, const kd_turn *directions, uint32_t size);

#ifdef __cplusplus
}
#endif

#endif /* KD_ROLL_H */
