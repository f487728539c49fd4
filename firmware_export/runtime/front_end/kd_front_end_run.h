/* A raw window to the model's inputs. */
#ifndef KD_FRONT_END_RUN_H
#define KD_FRONT_END_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "kd_front_end.h"

#ifndef KD_LSB_UNKNOWN

#ifdef __cplusplus
extern "C" {
#endif

/* Filters, resamples, normalises and quantises one window, each channel from rest (kd_signal_window.h).
 * raw: KD_RAW_VALUES int16 counts: kd_streams one after the other, each kd_streams[i].samples
 * samples with their channels side by side. A count is kd_streams[i].lsb units.
 * inputs: KD_INPUT_COUNT pointers in the model's order, each with room for kd_inputs[i].size values.
 * Of a front end whose filters run on in a stream (kd_front_end_stream.h) a window given here is a
 * recording of its own, and ends the stream that was under way.
 * Never fails; not reentrant (it has one work space). Stack: 500 bytes; with four
 * lanes 1,200. */
void kd_front_end_run(const int16_t *raw, int8_t *const *inputs);

#if KD_WEARER_STATES > 0
/* The running normaliser knows its wearer from window to window: put the board on another arm, and
 * reset it, or give it the state that it had there. It begins reset, and not frozen. */
void kd_front_end_reset(void);

/* Frozen, windows are normalised by the state as it is. */
void kd_front_end_freeze(bool freeze);
bool kd_front_end_is_frozen(void);

/* A state, below KD_WEARER_STATES: of all inputs' features in order, then of gravity along both axes
 * across the limb where the roll is taken back. What is kept, and
 * set again after a start, should be kd_running_is_possible(). Never fails. */
void kd_front_end_get_state(uint32_t index, kd_running_state *to);
void kd_front_end_set_state(uint32_t index, const kd_running_state *from);
#endif

#ifdef __cplusplus
}
#endif

#endif /* KD_LSB_UNKNOWN */

#endif /* KD_FRONT_END_RUN_H */
