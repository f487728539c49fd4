/* What you write so that what belongs to a wearer outlives the power: begin with kd_keep_stub.c.
 *
 * Never while the model runs: kd_keep_read in kd_firmware_start(), so that what it needs must be ready
 * before; kd_keep_write in kd_firmware_poll(). Writing flash may stop the core for long: samples of a
 * stream must then wait in the sensor's FIFO, or are counted as lost. */
#ifndef KD_KEEP_H
#define KD_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is kept, each in a place of its own. */
typedef enum kd_kept {
    KD_KEPT_HEAD = 0,      /* a wearer's last layer: some kilobytes, `head_bytes` of a HEAD's answer */
    KD_KEPT_NORMALISER = 1 /* what the running normaliser knows: KD_NORMALISER_KEPT_BYTES */
} kd_kept;

/* Keeps n bytes in place of what was kept there before; 0: nothing is kept there any more. They begin
 * at a multiple of 4; n need not be one. They carry a CRC-32: bytes that were cut off by a loss of
 * power are found out at the next start.
 * Returns whether they are safe. */
bool kd_keep_write(kd_kept what, const uint8_t *bytes, uint32_t n);

/* Reads what is kept, `most` bytes of it at most. Once for each `what` that the firmware has, at the
 * start. Returns how many; 0: none. */
uint32_t kd_keep_read(kd_kept what, uint8_t *bytes, uint32_t most);

#ifdef __cplusplus
}
#endif

#endif /* KD_KEEP_H */
