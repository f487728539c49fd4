/* The stream: from sensors through rings to windows that overlap, all by sample numbers.
 *
 * Window k of a sensor starts at sample k * hop, rounded down, and has kd_streams[].samples. One
 * that holds a lost sample is left out: its number is never answered.
 *
 * If filters run on (KD_RUNS_ON) a sample goes through the front end once, when it comes, and the ring
 * holds it no longer than that and until it is sent. Hops are steps of the front end then: window k
 * starts at step k * hop, rounded down, and ends with the sample that its last step is due with. Behind
 * lost samples a sensor's filters start from rest; no window holds a step from before. */
#ifndef KD_STREAM_H
#define KD_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "kd_front_end.h"
#include "kd_link.h"
#if KD_RUNS_ON
#include "kd_front_end_stream.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Starts sensors and numbering. Returns false if the sensors refuse. */
bool kd_stream_start(void);

void kd_stream_stop(void);

/* Takes what the sensors have, sends what came, and puts the next window together if it is complete.
 * window: room for KD_RAW_VALUES, written only where true is returned. If filters run on nothing is
 * written: call kd_front_end_window then, for a later call takes its steps.
 * Where true is returned *number is the window's and ends[KD_STREAM_COUNT] the numbers after its last
 * samples, modulo 2^32. Call it again at once after that. */
bool kd_stream_poll(kd_link *link, int16_t *window, uint32_t *number, uint32_t *ends);

/* If filters run on: what the front end took since the last call, as kd_profile_since counts. */
uint64_t kd_stream_front_end_ticks(void);

/* Samples that were lost since the start of the last stream, of all sensors. */
uint32_t kd_stream_lost(void);

#ifdef __cplusplus
}
#endif

#endif /* KD_STREAM_H */
