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

/* As kd_link_device.normaliser, which has the arguments; a stream need not end.
 * Stack: 90 bytes. */
kd_status kd_normaliser_do(void *user, uint8_t action, uint8_t *states, uint8_t *frozen);

#ifdef __cplusplus
}
#endif

#endif /* KD_NORMALISER_H */
