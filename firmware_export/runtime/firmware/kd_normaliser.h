/* What the link asks of the running normaliser; for front ends that have one. */
#ifndef KD_NORMALISER_H
#define KD_NORMALISER_H

#include <stdint.h>

#include "kd_front_end_run.h"
#include "kd_link.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KD_NORMALISER_BYTES (KD_WEARER_STATES * KD_NORMALISER_STATE_BYTES)
/* What kd_keep_write gets: CRC-32 of all that follows, SHA-256 of the model as built, a word that is 1
 * where windows move nothing, the states. */
#define KD_NORMALISER_KEPT_BYTES (40u + KD_NORMALISER_BYTES)

/* Takes what kd_keep_read gives, if it is whole, this model's and possible; the normaliser begins
 * reset otherwise. Once, before the first window. Stack: 90 bytes, or 16 and kd_keep_read. */
void kd_normaliser_start(void);

/* As kd_link_device.normaliser, which has the arguments; a stream need not end.
 * Stack: 96 bytes; of KD_ACTION_KEEP, or 48 and kd_keep_write. */
kd_status kd_normaliser_do(void *user, uint8_t action, uint8_t *states, uint8_t *frozen);

#ifdef __cplusplus
}
#endif

#endif /* KD_NORMALISER_H */
