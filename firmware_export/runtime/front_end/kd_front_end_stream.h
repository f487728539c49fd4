/* The front end of a stream in which filters run on from window to window.
 *
 *     kd_front_end_resume(s, 0);            for each stream s, where it begins
 *     kd_front_end_take(s, samples, n);     as they come, each stream up to the window's end
 *     kd_front_end_window(inputs);          the last steps of every stream
 *
 * A step is what the front end makes of a stream at the model's rate: step m is due with sample
 * m * down / up, rounded down. Each sample is filtered once, however much windows overlap. */
#ifndef KD_FRONT_END_STREAM_H
#define KD_FRONT_END_STREAM_H

#include "kd_front_end_run.h"

#if KD_RUNS_ON && !defined(KD_LSB_UNKNOWN)

#ifdef __cplusplus
extern "C" {
#endif

/* Begins a stream, or goes on behind samples that were lost: its filters start from rest at the next
 * sample, as at the beginning of a recording, and know nothing of what was before.
 * number: of that sample. Returns the number of the first step that follows; a window may hold no
 * earlier one. Never fails. Stack: 60 bytes. */
uint64_t kd_front_end_resume(uint32_t stream, uint64_t number);

/* Takes n samples, channels side by side, behind those before. Never fails. Stack: 700 bytes; with
 * four lanes 1,900. */
void kd_front_end_take(uint32_t stream, const int16_t *samples, uint32_t n);

/* Writes the model's inputs: the last kd_input_layouts[i].samples steps of each stream, which must end
 * at the same one. Running normalisers learn from the window, as from those of kd_front_end_run.
 * inputs: as kd_front_end_run takes them. Never fails. Stack: 250 bytes. */
void kd_front_end_window(int8_t *const *inputs);

#ifdef __cplusplus
}
#endif

#endif

#endif /* KD_FRONT_END_STREAM_H */
