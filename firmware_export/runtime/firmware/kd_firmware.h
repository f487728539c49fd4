/* A board that answers over the serial link: link, engine, front end, sensors and profiler together.
 *
 *     int main(void)
 *     {
 *         kd_firmware_start();
 *         for (;;) {
 *             kd_firmware_poll();
 *         }
 *     }
 *
 * Windows are filtered from rest (kd_signal.h) and the model's state is reset before each unless the
 * host asks to keep it. */
#ifndef KD_FIRMWARE_H
#define KD_FIRMWARE_H

#ifdef __cplusplus
extern "C" {
#endif

/* Sets engine and link up, takes what kd_keep_read gives, and says that the board has started. Once,
 * before anything else of the firmware. */
void kd_firmware_start(void);

/* Takes what has been received, answers it, and moves a stream on; sleeps while there is nothing to
 * do. For ever, from the main loop. */
void kd_firmware_poll(void);

#ifdef __cplusplus
}
#endif

#endif /* KD_FIRMWARE_H */
