/* A raw window to the model's inputs. */
#ifndef KD_FRONT_END_RUN_H
#define KD_FRONT_END_RUN_H

#include <stdint.h>

#include "kd_front_end.h"

#ifndef KD_LSB_UNKNOWN

#ifdef __cplusplus
extern "C" {
#endif

/* Filters, resamples, normalises and quantises one window, each channel from rest (kd_signal.h).
 * raw: KD_RAW_VALUES int16 counts: kd_streams one after the other, each kd_streams[i].samples
 * samples with their channels side by side. A count is kd_streams[i].lsb units.
 * inputs: KD_INPUT_COUNT pointers in the model's order, each with room for kd_inputs[i].size values.
 * Never fails; not reentrant (it has one work space). Stack: 450 bytes. */
void kd_front_end_run(const int16_t *raw, int8_t *const *inputs);

#ifdef __cplusplus
}
#endif

#endif /* KD_LSB_UNKNOWN */

#endif /* KD_FRONT_END_RUN_H */
