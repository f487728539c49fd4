/* One window as it comes, and the model's answer to it. */
#ifndef KD_WINDOW_H
#define KD_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kd_firmware_config.h"
#include "kd_link.h"
#include "kd_run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Int8 or raw. */
typedef union kd_window_values {
    uint8_t bytes[KD_WINDOW_BYTES];
    int16_t counts[(KD_WINDOW_BYTES + 1u) / 2u];
} kd_window_values;

extern kd_window_values kd_window;

/* Where the values of an input go before kd_window_answer: into the model, or into kd_window if the model
 * keeps what it has computed. index: below KD_INPUT_COUNT; kd_init has run. */
int8_t *kd_window_input(size_t index);

/* Runs the model on its inputs; front_end_ticks stand in *run already.
 * flags: KD_FLAG_…. follows: of a model that keeps what it has computed: see kd_run_window.
 * Returns KD_STATUS_OK or _ENGINE. */
kd_status kd_window_answer(uint8_t flags, bool follows, kd_link_run *run);

/* Brings the window that stands in kd_window to the inputs, and times it. kind: KD_KIND_…. flags: KD_FLAG_….
 * Returns KD_STATUS_OK or _ENGINE. */
kd_status kd_window_fill(uint8_t kind, uint8_t flags, kd_link_run *run);

/* Runs the window that stands in kd_window. kind: KD_KIND_….
 * Returns KD_STATUS_OK or _ENGINE. */
kd_status kd_window_run(uint8_t kind, uint8_t flags, kd_link_run *run);

/* Writes why the engine failed into *run. Returns KD_STATUS_ENGINE. */
kd_status kd_window_failed(kd_run_status status, kd_link_run *run);

#ifdef __cplusplus
}
#endif

#endif /* KD_WINDOW_H */
