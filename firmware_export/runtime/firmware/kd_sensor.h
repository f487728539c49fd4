/* What you write for your sensors. kd_sensor_replay.c does it with windows that are compiled in;
 * kd_sensor_stub.c is where to begin, and firmware_export/runtime/examples has a worked one. */
#ifndef KD_SENSOR_H
#define KD_SENSOR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Starts all sensors at the same moment, each at its own rate (kd_front_end.c says which). Called when a
 * stream begins; samples from before are to be thrown away. Returns 0; anything else refuses the
 * stream. */
int kd_sensor_start(void);

/* Stops them. Called also if they do not run. */
void kd_sensor_stop(void);

/* Takes samples that have come since the last call, oldest first, none twice and none left out.
 * stream: KD_STREAM_… of kd_front_end.h. samples: room for max_samples, each of
 * kd_streams[stream].channel_count counts side by side, in the order that kd_front_end.c lists;
 * a count is KD_LSB_… units.
 * Returns how many there are, 0 to max_samples, at once. If samples were lost in the sensor or on
 * the way, *lost is the number of them, between those taken before and these; it is 0 on entry.
 *
 * Called from the main loop, for each stream in turn until it returns 0, and not while the model
 * runs: what the sensor gives in that time must wait in its FIFO or in memory that DMA or an
 * interrupt fills. HELLO and a RUN say how long the model takes. */
uint32_t kd_sensor_read(uint32_t stream, int16_t *samples, uint32_t max_samples, uint32_t *lost);

#ifdef __cplusplus
}
#endif

#endif /* KD_SENSOR_H */
