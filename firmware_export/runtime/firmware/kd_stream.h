/* The stream: from sensors through rings to windows that overlap, all by sample numbers.
 *
 * Window k of a sensor starts at sample k * hop, rounded down, and has kd_streams[].samples. One
 * that holds a lost sample is left out: its number is never answered. */
#ifndef KD_STREAM_H
#define KD_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "kd_link.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Starts sensors and numbering. Returns false if the sensors refuse. */
bool kd_stream_start(void);

void kd_stream_stop(void);

/* Takes what the sensors have, sends what came, and puts the next window together if it is complete.
 * window: room for KD_RAW_VALUES, written only where true is returned; then *number is the window's
 * and ends[KD_STREAM_COUNT] the numbers after its last samples, modulo 2^32. Call it again at once after that. */
bool kd_stream_poll(kd_link *link, int16_t *window, uint32_t *number, uint32_t *ends);

/* Samples that were lost since the start of the last stream, of all sensors. */
uint32_t kd_stream_lost(void);

#ifdef __cplusplus
}
#endif

#endif /* KD_STREAM_H */
